#include "core/conditions/condition.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/base/rational.h"
#include "core/base/resource_names.h"
#include "core/conditions/params.h"
#include "core/conditions/table.h"

namespace assay {
namespace {

using conditions::Kind;
using conditions::Method;
using conditions::MethodOf;
using conditions::Methods;
using conditions::Parameter;
using conditions::Suite;
using conditions::Values;

constexpr absl::string_view kSuitePrefix = "suite/";
// The parameter that lists the budgets of a minimum-norm method.
constexpr char kBudgets[] = "eps";

const std::vector<Suite>& Suites() {
  static const auto* const suites = new std::vector<Suite>(conditions::Suites());
  return *suites;
}

std::string Expression(const Method& method) {
  return method.name.empty() ? method.family : absl::StrCat(method.family, "/", method.name);
}

// The canonical id of a method with these values: "/" in a value becomes "-". A parameter that is
// not there (an older version stored the condition) has its default.
std::string IdOf(const Method& method, const Values& values) {
  std::string id = Expression(method);
  std::vector<std::string> changed;
  for (const Parameter& p : method.parameters) {
    const auto value = values.find(p.name);
    if (value == values.end()) continue;
    const std::string text = absl::StrReplaceAll(value->second, {{"/", "-"}});
    if (p.headline) {
      absl::StrAppend(&id, "/", text);
    } else if (value->second != p.default_value(values)) {
      changed.push_back(absl::StrCat(p.name, "=", text));
    }
  }
  if (!changed.empty()) absl::StrAppend(&id, "/", absl::StrJoin(changed, ","));
  return id;
}

// Canonical texts of numbers: ascending, without repetition.
void SortNumbers(std::vector<std::string>& texts) {
  const auto value = [](const std::string& text) { return Rational::Parse(text)->ToDouble(); };
  std::sort(texts.begin(), texts.end(),
            [&](const std::string& a, const std::string& b) { return value(a) < value(b); });
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
}

// Gives the condition another list of budgets, and the id that goes with it.
void SetBudgets(const Method& method, const std::string& eps, v1::Condition& condition) {
  (*condition.mutable_parameters())[kBudgets] = eps;
  condition.set_id(IdOf(method, {condition.parameters().begin(), condition.parameters().end()}));
}

// Conditions that find distances and differ in their budgets only are one run: the first takes the
// budgets of the others.
std::vector<v1::Condition> Merged(std::vector<v1::Condition> conditions) {
  std::vector<v1::Condition> merged;
  std::map<std::string, size_t> runs;  // by the id without budgets
  for (v1::Condition& condition : conditions) {
    const Method* method = MethodOf(condition);
    if (!method->traits.minimum_norm) {
      merged.push_back(std::move(condition));
      continue;
    }
    const auto [found, is_new] = runs.emplace(RandomnessId(condition), merged.size());
    if (is_new) {
      merged.push_back(std::move(condition));
      continue;
    }
    v1::Condition& first = merged[found->second];
    std::vector<std::string> budgets = absl::StrSplit(
        absl::StrCat(first.parameters().at(kBudgets), "+", condition.parameters().at(kBudgets)),
        '+');
    SortNumbers(budgets);
    SetBudgets(*method, absl::StrJoin(budgets, "+"), first);
  }
  return merged;
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", text.substr(0, 60), text.size() > 60 ? "...'" : "'");
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = Nearest(word, candidates);
  return nearest.empty() ? absl::StrCat("known: ", absl::StrJoin(candidates, ", "))
                         : absl::StrCat("did you mean '", nearest, "'?");
}

// One expression on its way to conditions.
class Parser {
 public:
  Parser(std::string field, absl::string_view expression)
      : field_(std::move(field)), expression_(absl::StripAsciiWhitespace(expression)) {}

  // Appends to `conditions`, or to `violations`.
  void Run(std::vector<v1::Condition>* conditions, std::vector<FieldViolation>* violations) {
    violations_ = violations;
    if (absl::StartsWith(expression_, kSuitePrefix)) {
      RunSuite(expression_.substr(kSuitePrefix.size()), conditions);
      return;
    }
    const size_t problems = violations->size();
    const size_t colon = expression_.find(':');
    const Method* method = Find(expression_.substr(0, colon));
    if (method == nullptr) return;
    if (colon != absl::string_view::npos) ReadAssignments(*method, expression_.substr(colon + 1));
    if (violations->size() > problems) return;
    Expand(*method, 0, {}, conditions);
  }

 private:
  void Bad(const std::string& text) {
    violations_->push_back({field_, absl::StrCat(Quoted(expression_), ": ", text)});
  }

  void RunSuite(absl::string_view name, std::vector<v1::Condition>* conditions) {
    std::vector<std::string> known;
    for (const Suite& suite : Suites()) {
      known.push_back(suite.name);
      if (suite.name != name) continue;
      for (const std::string& expression : suite.expressions) {
        Parser(field_, expression).Run(conditions, violations_);
      }
      return;
    }
    Bad(absl::StrCat("unknown suite ", Quoted(name), "; ", DidYouMean(name, known)));
  }

  const Method* Find(absl::string_view head) {
    std::vector<std::string> known;
    for (const Method& method : Methods()) {
      if (Expression(method) == head) return &method;
      known.push_back(Expression(method));
    }
    if (absl::StrContains(head, '+')) return FindCombination(head);
    Bad(absl::StrCat("unknown condition ", Quoted(head), "; ", DidYouMean(head, known)));
    return nullptr;
  }

  // "corruption/fog+gaussian_noise": corruptions of the same parameters, one after the other.
  const Method* FindCombination(absl::string_view head) {
    constexpr int kMaxParts = 8;
    const std::string prefix = absl::StrCat(kFamilyCorruption, "/");
    if (!absl::StartsWith(head, prefix)) {
      Bad("only corruptions can be combined with '+'");
      return nullptr;
    }
    const std::vector<std::string> parts = absl::StrSplit(head.substr(prefix.size()), '+');
    if (parts.size() > kMaxParts) {
      Bad(absl::StrCat("at most ", kMaxParts, " corruptions can be combined"));
      return nullptr;
    }
    for (const std::string& part : parts) {
      const Method* method = Find(absl::StrCat(prefix, part));
      if (method == nullptr) return nullptr;
      if (method->parameters[0].name != "severity") {
        Bad(absl::StrCat(Expression(*method), " has no severity and cannot be combined"));
        return nullptr;
      }
      combination_ = *method;
    }
    combination_.name = std::string(head.substr(prefix.size()));
    return &combination_;
  }

  void ReadAssignments(const Method& method, absl::string_view text) {
    for (absl::string_view assignment : absl::StrSplit(text, ',')) {
      const size_t equals = assignment.find('=');
      if (equals == absl::string_view::npos) {
        Bad(absl::StrCat(Quoted(assignment), " is not of the form parameter=value"));
        continue;
      }
      const std::string name(absl::StripAsciiWhitespace(assignment.substr(0, equals)));
      const auto known = std::find_if(method.parameters.begin(), method.parameters.end(),
                                      [&](const Parameter& p) { return p.name == name; });
      if (known == method.parameters.end()) {
        std::vector<std::string> names;
        for (const Parameter& p : method.parameters) names.push_back(p.name);
        Bad(names.empty()
                ? absl::StrCat(Expression(method), " has no parameters")
                : absl::StrCat("unknown parameter ", Quoted(name), "; ", DidYouMean(name, names)));
        continue;
      }
      const std::string value(absl::StripAsciiWhitespace(assignment.substr(equals + 1)));
      if (!given_.emplace(name, value).second) {
        Bad(absl::StrCat("parameter '", name, "' is given twice"));
      }
    }
  }

  // The values that `text` gives: several for a parameter that expands, as canonical texts.
  std::optional<std::vector<std::string>> ReadValues(const Parameter& p, const std::string& text) {
    if (text.empty() && p.optional) return std::vector<std::string>{""};
    std::vector<std::string> values;
    const std::vector<std::string> items = p.expands || p.list
                                               ? std::vector<std::string>(absl::StrSplit(text, '+'))
                                               : std::vector<std::string>{text};
    for (const std::string& item : items) {
      if (const auto range = p.expands ? ReadRange(p, item) : std::nullopt) {
        const auto [low, high] = *range;
        if (low > high) {
          Bad(absl::StrCat(p.name, "=", text, " is an empty range"));
          return std::nullopt;
        }
        for (int64_t i = low; i <= high; ++i) {
          const auto value = ReadValue(p, absl::StrCat(i));
          if (!value) return std::nullopt;
          values.push_back(*value);
        }
        continue;
      }
      const auto value = ReadValue(p, item);
      if (!value) return std::nullopt;
      values.push_back(*value);
    }
    if (p.ascending) SortNumbers(values);
    if (p.list) return std::vector<std::string>{absl::StrJoin(values, "+")};
    return values;
  }

  // "1-5", both ends integers, at most 1000 values.
  static std::optional<std::pair<int64_t, int64_t>> ReadRange(const Parameter& p,
                                                              const std::string& text) {
    const size_t dash = text.find('-', 1);
    if (p.kind == Kind::kChoice || p.kind == Kind::kModel || dash == std::string::npos) {
      return std::nullopt;
    }
    int64_t low = 0, high = 0;
    if (!absl::SimpleAtoi(text.substr(0, dash), &low) ||
        !absl::SimpleAtoi(text.substr(dash + 1), &high) || high - low > 1000) {
      return std::nullopt;
    }
    return std::make_pair(low, high);
  }

  std::optional<std::string> ReadValue(const Parameter& p, const std::string& text) {
    const std::string lower = absl::AsciiStrToLower(text);
    if (std::find(p.choices.begin(), p.choices.end(), lower) != p.choices.end()) return lower;
    if (p.kind == Kind::kChoice) {
      Bad(absl::StrCat(p.name, "=", Quoted(text), " must be one of ",
                       absl::StrJoin(p.choices, ", ")));
      return std::nullopt;
    }
    if (p.kind == Kind::kModel) {
      const std::string id(absl::StripPrefix(text, "models/"));
      if (IsValidId(id)) return id;
      Bad(absl::StrCat(
          p.name, "=", Quoted(text),
          text.empty() ? " needs the id of a model on the server" : " is not the id of a model"));
      return std::nullopt;
    }
    const bool integer = p.kind == Kind::kInteger;
    const auto number = Rational::Parse(text);
    const std::string range =
        absl::StrCat(integer ? "an integer " : "a number ", p.above ? "above " : "from ", p.minimum,
                     p.above ? " and at most " : " to ", p.maximum);
    if (!number.ok() || (integer && number->denominator() != 1)) {
      Bad(absl::StrCat(p.name, "=", Quoted(text), " is not ", integer ? "an integer" : "a number",
                       "; expected ", range, p.choices.empty() ? "" : ", or one of ",
                       absl::StrJoin(p.choices, ", ")));
      return std::nullopt;
    }
    const double value = number->ToDouble();
    if (value < p.minimum || (p.above && value <= p.minimum) || value > p.maximum) {
      Bad(absl::StrCat(p.name, "=", text, " must be ", range));
      return std::nullopt;
    }
    return conditions::CanonicalNumber(*number);
  }

  // Chooses a value for parameter number `index` and those after it.
  void Expand(const Method& method, size_t index, const Values& values,
              std::vector<v1::Condition>* conditions) {
    if (index == method.parameters.size()) {
      Finish(method, values, conditions);
      return;
    }
    const Parameter& p = method.parameters[index];
    const std::string fallback = p.default_value(values);
    const auto given = given_.find(p.name);
    const auto list = ReadValues(p, given == given_.end() ? fallback : given->second);
    if (!list) return;
    for (const std::string& value : *list) {
      Values next = values;
      next[p.name] = value;
      Expand(method, index + 1, next, conditions);
    }
  }

  void Finish(const Method& method, const Values& values, std::vector<v1::Condition>* conditions) {
    const std::string problem = method.check ? method.check(values) : "";
    if (!problem.empty()) {
      Bad(problem);
      return;
    }
    v1::Condition condition;
    condition.set_family(method.family);
    condition.set_method(method.name);
    condition.set_id(IdOf(method, values));
    for (const auto& [name, value] : values) (*condition.mutable_parameters())[name] = value;
    conditions->push_back(std::move(condition));
  }

  const std::string field_;
  const absl::string_view expression_;
  Method combination_;
  std::map<std::string, std::string> given_;
  std::vector<FieldViolation>* violations_ = nullptr;
};

}  // namespace

absl::StatusOr<std::vector<v1::Condition>> ParseConditions(
    const std::vector<std::string>& expressions) {
  constexpr size_t kMaxConditions = 1000;
  std::vector<v1::Condition> all;
  std::vector<FieldViolation> violations;
  if (expressions.empty()) {
    violations.push_back({"conditions", "at least one condition is needed, for example 'clean'"});
  }
  for (size_t i = 0; i < expressions.size(); ++i) {
    Parser(absl::StrCat("conditions[", i, "]"), expressions[i]).Run(&all, &violations);
  }
  if (all.size() > kMaxConditions) {
    violations.push_back(
        {"conditions", absl::StrCat("at most ", kMaxConditions, " conditions; got ", all.size())});
  }
  if (!violations.empty()) return InvalidFields(std::move(violations), Reason::kInvalidCondition);
  std::set<std::string> seen;
  std::vector<v1::Condition> unique;
  for (v1::Condition& condition : Merged(std::move(all))) {
    if (seen.insert(condition.id()).second) unique.push_back(std::move(condition));
  }
  return unique;
}

double WorkPerSample(const v1::Condition& condition) {
  const Method* method = MethodOf(condition);
  if (method == nullptr) return 1;
  Params params(condition);
  return method->work(params);
}

bool NeedsWholeDataset(const v1::Condition& condition) {
  const Method* method = MethodOf(condition);
  return method != nullptr && method->traits.whole_dataset;
}

bool IsMinimumNorm(const v1::Condition& condition) {
  const Method* method = MethodOf(condition);
  return method != nullptr && method->traits.minimum_norm;
}

std::string RandomnessId(const v1::Condition& condition) {
  if (!IsMinimumNorm(condition)) return condition.id();
  v1::Condition run = condition;
  SetBudgets(*MethodOf(condition), "", run);
  return run.id();
}

std::vector<v1::Condition> AtEachBudget(const v1::Condition& condition) {
  std::vector<v1::Condition> all;
  const Method* method = MethodOf(condition);
  for (absl::string_view eps : absl::StrSplit(condition.parameters().at(kBudgets), '+')) {
    v1::Condition one = condition;
    SetBudgets(*method, std::string(eps), one);
    all.push_back(std::move(one));
  }
  return all;
}

bool NeedsFrostPhotographs(const v1::Condition& condition) {
  const std::vector<std::string> parts = absl::StrSplit(condition.method(), '+');
  return condition.family() == kFamilyCorruption &&
         std::find(parts.begin(), parts.end(), "frost") != parts.end();
}

absl::Status CheckTargetClass(const v1::Condition& condition, int num_classes) {
  const auto written = condition.parameters().find("target");
  int64_t target = 0;
  // "every", "random" and the like suit every model.
  if (written == condition.parameters().end() || !absl::SimpleAtoi(written->second, &target) ||
      target < num_classes) {
    return absl::OkStatus();
  }
  return Error(Reason::kInvalidCondition,
               absl::StrCat("target=", target, ", but the model has ", num_classes,
                            " classes (0 to ", num_classes - 1, ")"));
}

std::vector<std::string> OtherModels(const v1::Condition& condition) {
  std::vector<std::string> ids;
  const Method* method = MethodOf(condition);
  if (method == nullptr) return ids;
  for (const Parameter& p : method->parameters) {
    const auto value = condition.parameters().find(p.name);
    if (p.kind != Kind::kModel || value == condition.parameters().end()) continue;
    for (absl::string_view id : absl::StrSplit(value->second, '+', absl::SkipEmpty())) {
      ids.emplace_back(id);
    }
  }
  return ids;
}

std::vector<v1::Condition> Stages(const v1::Condition& condition) {
  const Method* method = MethodOf(condition);
  if (method == nullptr || !method->traits.stages) return {};
  Params params(condition);
  const auto stages = ParseConditions(method->traits.stages(params));
  return stages.ok() ? *stages : std::vector<v1::Condition>();
}

bool IsBlackBox(const v1::Condition& condition) {
  const Method* method = MethodOf(condition);
  return method != nullptr && method->traits.black_box;
}

bool AveragesPasses(const v1::Condition& condition) {
  const std::vector<v1::Condition> stages = Stages(condition);
  const auto eot = condition.parameters().find("eot");
  return (eot != condition.parameters().end() && eot->second != "1") ||
         std::any_of(stages.begin(), stages.end(), AveragesPasses);
}

int ClassesNeeded(const v1::Condition& condition) {
  const Method* method = MethodOf(condition);
  if (method == nullptr) return 0;
  Params params(condition);
  int needed = method->traits.classes ? method->traits.classes(params) : 0;
  for (const v1::Condition& stage : Stages(condition)) {
    needed = std::max(needed, ClassesNeeded(stage));
  }
  return needed;
}

std::vector<MethodHelp> AllMethods() {
  std::vector<MethodHelp> all;
  for (const Method& method : Methods()) {
    MethodHelp help{Expression(method), method.summary, {}};
    for (const Parameter& p : method.parameters) {
      help.parameters.push_back({p.name, p.default_text, p.summary});
    }
    all.push_back(std::move(help));
  }
  return all;
}

std::vector<SuiteHelp> AllSuites() {
  std::vector<SuiteHelp> all;
  for (const Suite& suite : Suites()) all.push_back({suite.name, suite.summary, suite.expressions});
  return all;
}

}  // namespace assay
