#include "common/condition.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/errors.h"
#include "common/params.h"
#include "common/rational.h"

namespace assay {
namespace {

// Canonical texts by parameter name.
using Values = std::map<std::string, std::string>;

enum class Kind { kNumber, kInteger, kChoice };

struct Parameter {
  std::string name;
  Kind kind = Kind::kNumber;
  // The default as canonical text, given the values of the parameters before it.
  std::function<std::string(const Values&)> default_value;
  std::string default_text;
  std::string summary;
  // kNumber, kInteger: allowed range, the lower end excluded when `above`.
  double minimum = 0;
  double maximum = 0;
  bool above = false;
  // kChoice.
  std::vector<std::string> choices;
  // Part of the id itself.
  bool headline = false;
  // Takes lists and, for integers, ranges.
  bool expands = false;
};

struct Method {
  std::string family;
  std::string name;
  std::string summary;
  std::vector<Parameter> parameters;
  // What is wrong with the values together; empty: nothing.
  std::function<std::string(const Values&)> check;
  std::function<double(Params&)> work;
};

Rational Number(const Values& values, const std::string& name) {
  return *Rational::Parse(values.at(name));
}

// Pixel budgets are fractions of 255 in this field: 5/255 stays 5/255 although 1/51 is shorter.
std::string CanonicalNumber(const Rational& number) {
  std::string text = number.ToString();
  const int64_t denominator = number.denominator();
  if (text.find('/') != std::string::npos && 255 % denominator == 0) {
    return absl::StrCat(number.numerator() * (255 / denominator), "/255");
  }
  return text;
}

Parameter Real(std::string name, std::string default_text, double above, double maximum,
               std::string summary) {
  Parameter p;
  p.name = std::move(name);
  p.kind = Kind::kNumber;
  p.default_text = default_text;
  p.summary = std::move(summary);
  p.default_value = [default_text](const Values&) { return default_text; };
  p.minimum = above;
  p.maximum = maximum;
  p.above = true;
  return p;
}

Parameter Integer(std::string name, int64_t default_value, double minimum, double maximum,
                  std::string summary) {
  Parameter p =
      Real(std::move(name), absl::StrCat(default_value), minimum, maximum, std::move(summary));
  p.kind = Kind::kInteger;
  p.above = false;
  return p;
}

Parameter Choice(std::string name, std::vector<std::string> choices, std::string summary) {
  Parameter p = Real(std::move(name), choices[0], 0, 0, std::move(summary));
  p.kind = Kind::kChoice;
  p.choices = std::move(choices);
  return p;
}

Parameter Headline(Parameter p) {
  p.headline = true;
  return p;
}

Parameter Expanding(Parameter p) {
  p.expands = true;
  return p;
}

Parameter WithDefault(Parameter p, std::function<std::string(const Values&)> value,
                      std::string text) {
  p.default_value = std::move(value);
  p.default_text = std::move(text);
  return p;
}

constexpr double kMaxL2 = 1e4;

std::vector<Parameter> NormAndEps() {
  return {
      Headline(Choice("norm", {"linf", "l2"}, "norm of the budget")),
      Headline(Expanding(WithDefault(
          Real("eps", "", 0, kMaxL2, "budget, in pixel values of [0, 1]"),
          [](const Values& v) { return v.at("norm") == "linf" ? "8/255" : "0.5"; },
          "8/255 for linf, 0.5 for l2"))),
  };
}

std::string CheckLinf(const Values& values) {
  if (values.at("norm") == "linf" && Number(values, "eps").ToDouble() > 1) {
    return "eps must be at most 1 for norm=linf, since pixels are in [0, 1]";
  }
  return "";
}

// Model passes of `runs` runs of `steps` gradient steps and a last forward pass, after the clean
// one.
double GradientWork(double runs, double steps) { return 1 + runs * (1 + 3 * steps); }

Method Pgd() {
  Method m{kFamilyAttack,
           "pgd",
           "projected gradient descent on cross-entropy, random start (Madry et al., 2018)",
           NormAndEps(),
           CheckLinf,
           nullptr};
  m.parameters.push_back(Integer("steps", 20, 1, 100000, "gradient steps of one restart"));
  m.parameters.push_back(WithDefault(
      Real("step", "", 0, kMaxL2, "step size, in pixel values"),
      [](const Values& v) {
        const Rational eps = Number(v, "eps");
        return CanonicalNumber(Rational(eps.numerator(), eps.denominator() * 4));
      },
      "eps/4"));
  m.parameters.push_back(Integer("restarts", 1, 1, 1000, "random starts"));
  m.work = [](Params& p) {
    return GradientWork(static_cast<double>(p.Integer("restarts")),
                        static_cast<double>(p.Integer("steps")));
  };
  return m;
}

Method Apgd(const std::string& name, const std::string& summary) {
  Method m{kFamilyAttack, name, summary, NormAndEps(), CheckLinf, nullptr};
  m.parameters.push_back(Integer("steps", 100, 1, 100000, "iterations of one run"));
  const bool targeted = name == "apgd-t";
  m.parameters.push_back(targeted ? Integer("targets", 9, 1, 1000, "target classes, nearest first")
                                  : Integer("restarts", 1, 1, 1000, "random starts"));
  m.work = [targeted](Params& p) {
    return GradientWork(static_cast<double>(p.Integer(targeted ? "targets" : "restarts")),
                        static_cast<double>(p.Integer("steps")));
  };
  return m;
}

Method FabT() {
  Method m{kFamilyAttack,
           "fab-t",
           "FAB, minimum norm, targeted at the nearest classes (Croce and Hein, 2020)",
           NormAndEps(),
           CheckLinf,
           nullptr};
  m.parameters.push_back(Integer("steps", 100, 1, 100000, "iterations for each target"));
  m.parameters.push_back(Integer("targets", 9, 1, 1000, "target classes, nearest first"));
  m.work = [](Params& p) {
    return GradientWork(static_cast<double>(p.Integer("targets")),
                        static_cast<double>(p.Integer("steps")));
  };
  return m;
}

Method Square() {
  Method m{kFamilyAttack,
           "square",
           "Square, black box: random search on logits (Andriushchenko et al., 2020)",
           NormAndEps(),
           CheckLinf,
           nullptr};
  m.parameters.push_back(Integer("queries", 5000, 1, 10'000'000, "queries for each sample"));
  m.parameters.push_back(Real("p_init", "0.8", 0, 1, "share of the image in the first window"));
  m.work = [](Params& p) { return 2 + static_cast<double>(p.Integer("queries")); };
  return m;
}

Method AutoAttack() {
  Method m{kFamilyAttack,
           "autoattack",
           "AutoAttack: apgd-ce, apgd-t, fab-t and square on what is still robust (Croce and Hein, "
           "2020)",
           NormAndEps(),
           CheckLinf,
           nullptr};
  m.parameters.push_back(Choice("version", {"standard"}, "which parts"));
  m.work = [](Params&) {
    return GradientWork(1, 100) + GradientWork(9, 100) + GradientWork(9, 100) + 5001;
  };
  return m;
}

Method CorruptionMethod(const std::string& name, const std::string& summary) {
  return {kFamilyCorruption,
          name,
          summary,
          {Headline(Expanding(WithDefault(
               Integer("severity", 0, 1, 5, "severity of the published table"),
               [](const Values&) { return "1-5"; }, "1-5"))),
           Choice("table", {"auto", "32", "64", "224", "299"},
                  "parameter table, by image side; auto: the nearest")},
          nullptr,
          [](Params&) { return 1.2; }};
}

Method Gaussian() {
  return {kFamilySmoothing,
          "gaussian",
          "randomized smoothing, certified L2 radii (Cohen et al., 2019)",
          {Headline(Expanding(Real("sigma", "0.25", 0, 100, "standard deviation of the noise"))),
           Integer("n0", 100, 1, 1e6, "draws that select the class"),
           Integer("n", 100000, 1, 1e8, "draws that bound its probability"),
           Real("alpha", "0.001", 0, 1, "failure probability of one sample's certificate")},
          [](const Values& v) -> std::string {
            const double alpha = Number(v, "alpha").ToDouble();
            if (alpha >= 1) return "alpha must be below 1";
            const double n = Number(v, "n").ToDouble();
            const double smallest = std::ceil(std::log(alpha) / std::log(0.5));
            if (n < smallest) {
              return absl::StrCat("n=", v.at("n"), " can only abstain at alpha=", v.at("alpha"),
                                  "; the smallest n that can certify is ", smallest);
            }
            return "";
          },
          [](Params& p) {
            return static_cast<double>(p.Integer("n0")) + static_cast<double>(p.Integer("n"));
          }};
}

const std::vector<Method>& Methods() {
  static const auto* const methods = new std::vector<Method>{
      {kFamilyClean, "", "the images as they are", {}, nullptr, [](Params&) { return 1.0; }},
      Pgd(),
      Apgd("apgd-ce", "Auto-PGD on cross-entropy (Croce and Hein, 2020)"),
      Apgd("apgd-dlr", "Auto-PGD on the difference-of-logits ratio (Croce and Hein, 2020)"),
      Apgd("apgd-t", "Auto-PGD targeted at the nearest classes (Croce and Hein, 2020)"),
      FabT(),
      Square(),
      AutoAttack(),
      CorruptionMethod("gaussian_noise", "Gaussian noise on every channel value"),
      CorruptionMethod("shot_noise", "Poisson noise of a low photon count"),
      CorruptionMethod("impulse_noise", "salt and pepper on channel values"),
      CorruptionMethod("defocus_blur", "blur by a disk, as of a lens out of focus"),
      CorruptionMethod("glass_blur", "neighbouring pixels shuffled, as seen through frosted glass"),
      CorruptionMethod("motion_blur", "blur along a random direction"),
      CorruptionMethod("zoom_blur", "average of the image at growing zoom"),
      CorruptionMethod("snow", "falling flakes over a whitened image"),
      CorruptionMethod("frost-procedural",
                       "ice crystals drawn by Assay; not the published frost photographs"),
      CorruptionMethod("fog", "plasma fractal fog"),
      CorruptionMethod("brightness", "value raised in HSV"),
      CorruptionMethod("contrast", "contrast reduced towards the mean of each channel"),
      CorruptionMethod("elastic_transform", "small affine and elastic distortion"),
      CorruptionMethod("pixelate", "resized down and up again"),
      CorruptionMethod("jpeg_compression", "JPEG at a low quality"),
      CorruptionMethod("speckle_noise", "Gaussian noise that grows with the value"),
      CorruptionMethod("gaussian_blur", "blur by a Gaussian"),
      CorruptionMethod("spatter", "drops of water or mud"),
      CorruptionMethod("saturate", "saturation changed in HSV"),
      Gaussian(),
  };
  return *methods;
}

std::string Expression(const Method& method) {
  return method.name.empty() ? method.family : absl::StrCat(method.family, "/", method.name);
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
    const size_t problems = violations->size();
    const size_t colon = expression_.find(':');
    const Method* method = Find(expression_.substr(0, colon));
    if (method == nullptr) return;
    if (colon != absl::string_view::npos) ReadAssignments(*method, expression_.substr(colon + 1));
    if (violations->size() > problems) return;
    Expand(*method, 0, {}, {}, conditions);
  }

 private:
  void Bad(const std::string& text) {
    violations_->push_back({field_, absl::StrCat(Quoted(expression_), ": ", text)});
  }

  const Method* Find(absl::string_view head) {
    std::vector<std::string> known;
    for (const Method& method : Methods()) {
      if (Expression(method) == head) return &method;
      known.push_back(Expression(method));
    }
    Bad(absl::StrCat("unknown condition ", Quoted(head), "; ", DidYouMean(head, known)));
    return nullptr;
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

  // The values that `text` lists, as canonical texts.
  std::optional<std::vector<std::string>> ReadValues(const Parameter& p, const std::string& text) {
    std::vector<std::string> values;
    const std::vector<std::string> items = p.expands
                                               ? std::vector<std::string>(absl::StrSplit(text, '+'))
                                               : std::vector<std::string>{text};
    for (const std::string& item : items) {
      const size_t dash = item.find('-', 1);
      if (p.expands && p.kind == Kind::kInteger && dash != std::string::npos) {
        const auto first = ReadValue(p, item.substr(0, dash));
        const auto last = ReadValue(p, item.substr(dash + 1));
        if (!first || !last) return std::nullopt;
        const int64_t low = Rational::Parse(*first)->numerator();
        const int64_t high = Rational::Parse(*last)->numerator();
        if (low > high) {
          Bad(absl::StrCat(p.name, "=", text, " is an empty range"));
          return std::nullopt;
        }
        for (int64_t i = low; i <= high; ++i) values.push_back(absl::StrCat(i));
        continue;
      }
      const auto value = ReadValue(p, item);
      if (!value) return std::nullopt;
      values.push_back(*value);
    }
    return values;
  }

  std::optional<std::string> ReadValue(const Parameter& p, const std::string& text) {
    if (p.kind == Kind::kChoice) {
      const std::string lower = absl::AsciiStrToLower(text);
      if (std::find(p.choices.begin(), p.choices.end(), lower) != p.choices.end()) return lower;
      Bad(absl::StrCat(p.name, "=", Quoted(text), " must be one of ",
                       absl::StrJoin(p.choices, ", ")));
      return std::nullopt;
    }
    const bool integer = p.kind == Kind::kInteger;
    const auto number = Rational::Parse(text);
    const std::string range =
        absl::StrCat(integer ? "an integer " : "a number ", p.above ? "above " : "from ", p.minimum,
                     p.above ? " and at most " : " to ", p.maximum);
    if (!number.ok() || (integer && number->denominator() != 1)) {
      Bad(absl::StrCat(p.name, "=", Quoted(text), " is not ", integer ? "an integer" : "a number",
                       "; expected ", range));
      return std::nullopt;
    }
    const double value = number->ToDouble();
    if (value < p.minimum || (p.above && value <= p.minimum) || value > p.maximum) {
      Bad(absl::StrCat(p.name, "=", text, " must be ", range));
      return std::nullopt;
    }
    return CanonicalNumber(*number);
  }

  // Chooses a value for parameter number `index` and those after it; `changed` holds those that
  // differ from their default.
  void Expand(const Method& method, size_t index, const Values& values,
              const std::vector<std::string>& changed, std::vector<v1::Condition>* conditions) {
    if (index == method.parameters.size()) {
      Finish(method, values, changed, conditions);
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
      std::vector<std::string> next_changed = changed;
      if (!p.headline && value != fallback) {
        next_changed.push_back(absl::StrCat(p.name, "=", value));
      }
      Expand(method, index + 1, next, next_changed, conditions);
    }
  }

  void Finish(const Method& method, const Values& values, const std::vector<std::string>& changed,
              std::vector<v1::Condition>* conditions) {
    const std::string problem = method.check ? method.check(values) : "";
    if (!problem.empty()) {
      Bad(problem);
      return;
    }
    v1::Condition condition;
    condition.set_family(method.family);
    condition.set_method(method.name);
    std::string id = Expression(method);
    for (const Parameter& p : method.parameters) {
      if (p.headline) {
        absl::StrAppend(&id, "/", absl::StrReplaceAll(values.at(p.name), {{"/", "-"}}));
      }
    }
    if (!changed.empty()) {
      absl::StrAppend(&id, "/", absl::StrReplaceAll(absl::StrJoin(changed, ","), {{"/", "-"}}));
    }
    condition.set_id(id);
    for (const auto& [name, value] : values) (*condition.mutable_parameters())[name] = value;
    conditions->push_back(std::move(condition));
  }

  const std::string field_;
  const absl::string_view expression_;
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
  for (v1::Condition& condition : all) {
    if (seen.insert(condition.id()).second) unique.push_back(std::move(condition));
  }
  return unique;
}

double WorkPerSample(const v1::Condition& condition) {
  for (const Method& method : Methods()) {
    if (method.family == condition.family() && method.name == condition.method()) {
      Params params(condition);
      return method.work(params);
    }
  }
  return 1;
}

const std::vector<std::string>& AutoAttackStages() {
  static const auto* const stages =
      new std::vector<std::string>{"apgd-ce", "apgd-t", "fab-t", "square"};
  return *stages;
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

}  // namespace assay
