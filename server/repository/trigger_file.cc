#include "server/repository/trigger_file.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/labels.h"
#include "core/base/priority.h"
#include "core/base/quantities.h"
#include "core/base/resource_names.h"
#include "core/base/utf8.h"
#include "core/conditions/condition.h"
#include "core/models/model_interface.h"
#include "core/options/evaluation_keys.h"
#include "core/options/option_file.h"
#include "core/report/early_decision.h"
#include "core/report/gate_scope.h"
#include "server/repository/verdicts.h"

namespace assay::repository {
namespace {

bool IsOff(const options::Entry& entry) {
  return entry.key.is_switch() && entry.values[0] == "false";
}

// What the file has; kInvalidArgument with everything that is wrong with it.
absl::StatusOr<std::vector<options::Entry>> EntriesOf(const std::string& text,
                                                      const std::string& path,
                                                      const std::vector<options::Key>& keys) {
  options::OptionFile file = options::ReadOptionFile(text, path, keys);
  if (!file.mistakes.empty()) return InvalidFields(std::move(file.mistakes));
  if (file.entries.empty()) {
    return InvalidFields({{path, "must be one YAML document of keys and values"}});
  }
  return std::move(file.entries);
}

class TriggerReader {
 public:
  TriggerReader(const std::string& path, std::vector<options::Entry> options)
      : path_(path), options_(std::move(options)) {}

  absl::StatusOr<Trigger> Read() {
    ReadData();
    ReadConditions();
    v1::EvaluationSpec& spec = trigger_.spec;
    spec.set_seed(Number("seed", INT64_MIN, "a whole number"));
    spec.set_limit(Number("limit", 0, "a number of samples"));
    spec.set_task_samples(static_cast<int32_t>(
        std::min<int64_t>(Number("task-samples", 1, "a number of samples"), INT32_MAX)));
    spec.set_allow_missing_classes(Given("allow-missing-classes"));
    spec.set_no_cache(Given("no-cache"));
    spec.set_keep_probabilities(Given("keep-probabilities"));
    spec.set_keep_features(Value("keep-features"));
    ReadUrgency();
    spec.set_pin_numerics(Value("pin-numerics"));
    ReadLevel();
    ReadGates();
    trigger_.digest = Sha256Hex(Canonical());
    // After the gates and the digest, which are labels, too.
    ReadLabels();
    if (!violations_.empty()) return InvalidFields(std::move(violations_));
    return std::move(trigger_);
  }

 private:
  const options::Entry* Find(const std::string& name) const {
    const auto found =
        std::find_if(options_.begin(), options_.end(),
                     [&](const options::Entry& one) { return one.key.name == name; });
    // A switch that is false is not given.
    return found == options_.end() || IsOff(*found) ? nullptr : &*found;
  }
  bool Given(const std::string& name) const { return Find(name) != nullptr; }
  std::string Value(const std::string& name) const {
    const options::Entry* const option = Find(name);
    return option == nullptr ? "" : option->values[0];
  }
  std::vector<std::string> ValuesOf(const std::string& name) const {
    const options::Entry* const option = Find(name);
    return option == nullptr ? std::vector<std::string>() : option->values;
  }
  void Wrong(const std::string& name, const std::string& text) {
    const options::Entry* const option = Find(name);
    violations_.push_back(
        {option == nullptr ? path_ : absl::StrCat(path_, ":", option->line), text});
  }
  void WrongAll(const std::string& name, const absl::Status& status) {
    for (const FieldViolation& violation : ViolationsOf(status)) {
      Wrong(name, absl::StrCat(name, ": ", violation.description));
    }
    if (ViolationsOf(status).empty()) Wrong(name, std::string(status.message()));
  }

  void ReadData() {
    const std::vector<std::string> data = ValuesOf("data");
    const std::string how =
        "data: datasets/ID names a dataset of the server, which 'assay dataset upload FILE --id "
        "ID' makes";
    if (data.empty()) return Wrong("data", absl::StrCat("'data' is missing; ", how));
    if (data.size() > 1 || !ParseResourceName(kDatasets, data[0], "data").ok()) {
      return Wrong("data", absl::StrCat("'", absl::StrJoin(data, " "),
                                        "' is no dataset of the server, and its files are not "
                                        "read from here; ",
                                        how));
    }
    trigger_.spec.set_dataset(data[0]);
  }

  void ReadConditions() {
    std::vector<std::string> expressions = ValuesOf("condition");
    for (const std::string& suite : ValuesOf("suite")) {
      expressions.push_back(absl::StrCat("suite/", suite));
    }
    if (expressions.empty()) return Wrong("condition", "give conditions, or a suite");
    auto conditions = ParseConditions(expressions);
    if (!conditions.ok()) {
      return WrongAll(Given("condition") ? "condition" : "suite", conditions.status());
    }
    conditions_ = *std::move(conditions);
    for (std::string& expression : expressions) {
      trigger_.spec.add_conditions(std::move(expression));
    }
  }

  void ReadUrgency() {
    if (Given("priority")) {
      const auto priority = PriorityOf(Value("priority"));
      if (!priority) Wrong("priority", "'priority' must be low, normal or high");
      trigger_.spec.set_priority(priority.value_or(v1::PRIORITY_UNSPECIFIED));
    }
    if (Given("deadline")) {
      const auto seconds = ParseDuration(Value("deadline"));
      if (!seconds.ok() || *seconds <= 0) {
        return Wrong("deadline", "'deadline' must be a time such as 2h (s, m, h, d or w)");
      }
      trigger_.spec.mutable_deadline()->set_seconds(*seconds);
    }
  }

  int64_t Number(const std::string& name, int64_t least, const std::string& what) {
    const options::Entry* const option = Find(name);
    if (option == nullptr) return 0;
    int64_t number = 0;
    if (absl::SimpleAtoi(option->values[0], &number) && number >= least) return number;
    Wrong(name, absl::StrCat("'", name, "' must be ", what, "; got '", option->values[0], "'"));
    return 0;
  }

  void ReadLevel() {
    if (!Given("confidence-level")) return;
    double level = 0;
    if (absl::SimpleAtod(Value("confidence-level"), &level) && level > 0 && level < 1) {
      trigger_.confidence_level = level;
      return;
    }
    Wrong("confidence-level", absl::StrCat("'confidence-level' must be above 0 and below 1, such "
                                           "as 0.99; got '",
                                           Value("confidence-level"), "'"));
  }

  void ReadGates() {
    report::GateScope scope;
    scope.conditions = report::ScopeOf(conditions_);
    trigger_.baseline = Value("baseline");
    bool compares = false;
    for (const std::string& given : ValuesOf("require")) {
      // Labels have no white space at their ends.
      const std::string text(absl::StripAsciiWhitespace(given));
      const auto gate = report::ParseGate(text);
      const absl::Status status = !gate.ok()            ? gate.status()
                                  : conditions_.empty() ? absl::OkStatus()
                                                        : report::CheckGate(*gate, scope);
      if (!status.ok()) {
        Wrong("require", absl::StrCat("'", text, "': ", status.message()));
        continue;
      }
      if (gate->against_baseline && trigger_.baseline.empty()) {
        Wrong("require", absl::StrCat("'", text,
                                      "' needs a baseline: give 'baseline: previous', the "
                                      "version before, or 'baseline: evaluations/ID'"));
      }
      compares = compares || gate->against_baseline;
      trigger_.gates.push_back(*gate);
    }
    if (trigger_.gates.size() > kMostGates) {
      Wrong("require", absl::StrCat("has ", trigger_.gates.size(), " gates; at most ", kMostGates,
                                    " can be given here"));
    }
    const bool is_name = ParseResourceName(kEvaluations, trigger_.baseline, "").ok();
    if (Given("baseline") && trigger_.baseline != kPrevious && !is_name) {
      Wrong("baseline", absl::StrCat("'baseline' must be previous, which is the version before, "
                                     "or evaluations/ID; got '",
                                     trigger_.baseline, "'"));
    } else if (Given("baseline") && !compares) {
      Wrong("baseline", "no requirement speaks of the baseline");
    }
    const std::string undecided = Value("undecided");
    if (!undecided.empty() && undecided != "fail" && undecided != "pass") {
      Wrong("undecided", absl::StrCat("'undecided' must be fail or pass; got '", undecided, "'"));
    }
    trigger_.undecided_passes = undecided == "pass";
    if (!Given("stop-when-decided")) return;
    v1::StopWhenDecided& stop = *trigger_.spec.mutable_stop_when_decided();
    for (const report::GateExpression& gate : trigger_.gates) stop.add_gates(gate.text);
    stop.set_confidence_level(trigger_.confidence_level);
    if (trigger_.gates.empty()) {
      return Wrong("stop-when-decided", "'stop-when-decided' needs requirements that decide when");
    }
    if (conditions_.empty()) return;
    for (const FieldViolation& violation : report::CheckStopWhenDecided(stop, conditions_, {})) {
      Wrong("stop-when-decided", violation.description);
    }
    if (Given("keep-probabilities") || Given("keep-features")) {
      Wrong("stop-when-decided",
            "does not go with keep-probabilities and keep-features, which are of all samples");
    }
  }

  void ReadLabels() {
    Labels labels;
    for (const std::string& text : ValuesOf("label")) {
      const size_t equals = text.find('=');
      const std::string key = text.substr(0, equals);
      const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
      if (value.empty() || !IsUtf8(text)) {
        Wrong("label", absl::StrCat("a label must be KEY=VALUE, for example commit=1a2b3c; got '",
                                    text, "'"));
      } else if (!labels.emplace(key, value).second) {
        Wrong("label", absl::StrCat("key '", key, "' is there twice"));
      }
    }
    const Labels own = EvaluationLabels(trigger_, "model", 1, "evaluations/baseline");
    for (const auto& [key, value] : labels) {
      if (own.count(key) > 0) {
        Wrong("label", absl::StrCat("key '", key, "' is one that the repository sets itself"));
      }
    }
    for (const FieldViolation& violation : CheckLabels(labels, LabelUse::kStored, "label")) {
      Wrong("label", violation.description);
    }
    for (const FieldViolation& violation : CheckLabels(own, LabelUse::kStored, "require")) {
      Wrong("require", absl::StrCat("a requirement is kept as a label of the evaluation: ",
                                    violation.description));
    }
    if (labels.size() + own.size() > kMostLabels) {
      Wrong("label", absl::StrCat("labels and requirements are ", labels.size() + own.size(),
                                  " labels together; at most ", kMostLabels, " are kept"));
    }
    for (const auto& [key, value] : labels) (*trigger_.spec.mutable_labels())[key] = value;
  }

  std::string Canonical() const {
    std::map<std::string, std::vector<std::string>> by_name;
    for (const options::Entry& option : options_) {
      if (!IsOff(option)) by_name[option.key.name] = option.values;
    }
    std::string text;
    for (const auto& [name, values] : by_name) {
      for (const std::string& value : values) {
        absl::StrAppend(&text, name, "=", value.size(), ":", value, "\n");
      }
    }
    return text;
  }

  const std::string path_;
  const std::vector<options::Entry> options_;
  std::vector<v1::Condition> conditions_;
  std::vector<FieldViolation> violations_;
  Trigger trigger_;
};

}  // namespace

absl::StatusOr<Trigger> ReadTrigger(const std::string& text, const std::string& path) {
  if (!IsUtf8(text)) return InvalidFields({{path, "is not UTF-8 text; save it as UTF-8"}});
  std::vector<options::Key> keys;
  for (const EvaluationKey& entry : EvaluationKeys()) keys.push_back(entry.key);
  ASSAY_ASSIGN_OR_RETURN(std::vector<options::Entry> options, EntriesOf(text, path, keys));
  for (const options::Entry& option : options) {
    const auto key =
        std::find_if(EvaluationKeys().begin(), EvaluationKeys().end(),
                     [&](const EvaluationKey& entry) { return entry.key.name == option.key.name; });
    if (key->use == EvaluationKeyUse::kEvaluation) continue;
    std::string why = " is for the command line; it means nothing to a server, so leave it out";
    if (option.key.name == "model") why = " is the new version each time; leave it out";
    if (key->use == EvaluationKeyUse::kModel) {
      why = " is about a model; write it into assay.yaml in the directory of the model";
    }
    return InvalidFields(
        {{absl::StrCat(path, ":", option.line), absl::StrCat("'", option.key.name, "'", why)}});
  }
  return TriggerReader(path, std::move(options)).Read();
}

absl::StatusOr<v1::ModelInterface> ReadModelOptions(const std::string& text,
                                                    const std::string& path) {
  if (!IsUtf8(text)) return InvalidFields({{path, "is not UTF-8 text; save it as UTF-8"}});
  ASSAY_ASSIGN_OR_RETURN(const std::vector<options::Entry> options,
                         EntriesOf(text, path, EvaluationKeysOf(EvaluationKeyUse::kModel)));
  ModelInterfaceOptions given;
  const std::map<std::string, std::string*> fields = {
      {"input-range", &given.input_range}, {"normalize", &given.normalize},
      {"channels", &given.channels},       {"layout", &given.layout},
      {"resize", &given.resize},           {"model-output", &given.output},
      {"precision", &given.precision},
  };
  for (const options::Entry& option : options) *fields.at(option.key.name) = option.values[0];
  auto interface = ParseModelInterface(given);
  if (interface.ok()) return interface;
  std::vector<FieldViolation> violations;
  for (const FieldViolation& violation : ViolationsOf(interface.status())) {
    // "--normalize" is 'normalize' here.
    const std::string name = violation.field.substr(violation.field.find_first_not_of('-'));
    const auto option =
        std::find_if(options.begin(), options.end(),
                     [&](const options::Entry& one) { return one.key.name == name; });
    violations.push_back({option == options.end() ? path : absl::StrCat(path, ":", option->line),
                          absl::StrCat("'", name, "' ", violation.description)});
  }
  return InvalidFields(std::move(violations));
}

}  // namespace assay::repository
