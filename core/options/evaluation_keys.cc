#include "core/options/evaluation_keys.h"

namespace assay {
namespace {

options::Key One(const char* name) { return {name, nullptr, options::Key::Takes::kValue}; }
options::Key List(const char* name) { return {name, nullptr, options::Key::Takes::kValues}; }
options::Key Switch(const char* name) { return {name, nullptr, options::Key::Takes::kNothing}; }

}  // namespace

const std::vector<EvaluationKey>& EvaluationKeys() {
  constexpr EvaluationKeyUse kEvaluation = EvaluationKeyUse::kEvaluation;
  constexpr EvaluationKeyUse kModel = EvaluationKeyUse::kModel;
  constexpr EvaluationKeyUse kCaller = EvaluationKeyUse::kCaller;
  static const auto* const keys = new std::vector<EvaluationKey>{
      {One("model"), kCaller},
      {List("data"), kEvaluation},
      {List("condition"), kEvaluation},
      {List("suite"), kEvaluation},
      {List("other-model"), kCaller},
      {One("input-range"), kModel},
      {One("normalize"), kModel},
      {One("channels"), kModel},
      {One("layout"), kModel},
      {One("resize"), kModel},
      {One("model-output"), kModel},
      {One("precision"), kModel},
      {One("labels"), kCaller},
      {One("format"), kCaller},
      {One("classes"), kCaller},
      {Switch("allow-missing-classes"), kEvaluation},
      {One("limit"), kEvaluation},
      {One("metadata"), kCaller},
      {List("metadata-edges"), kCaller},
      {One("clean-data"), kCaller},
      {One("seed"), kEvaluation},
      {One("id"), kCaller},
      {List("label"), kEvaluation},
      {One("task-samples"), kEvaluation},
      {One("priority"), kEvaluation},
      {One("deadline"), kEvaluation},
      {Switch("no-cache"), kEvaluation},
      {One("pin-numerics"), kEvaluation},
      {One("confidence-level"), kEvaluation},
      {One("reference"), kCaller},
      {One("report"), kCaller},
      {One("html"), kCaller},
      {Switch("all-slices"), kCaller},
      {One("junit"), kCaller},
      {One("examples"), kCaller},
      {List("require"), kEvaluation},
      {One("baseline"), kEvaluation},
      {One("undecided"), kEvaluation},
      {One("mlflow"), kCaller},
      {One("outcomes"), kCaller},
      {One("keep-adversarials"), kCaller},
      {Switch("keep-probabilities"), kEvaluation},
      {One("keep-features"), kEvaluation},
      {One("vectors"), kCaller},
      {Switch("stop-when-decided"), kEvaluation},
      {Switch("stream"), kCaller},
      {Switch("detach"), kCaller},
      {Switch("local"), kCaller},
      {One("data-dir"), kCaller},
      {One("batch-size"), kCaller},
      {One("threads"), kCaller},
      {One("frost-directory"), kCaller},
      {One("server"), kCaller},
      {One("output"), kCaller},
      {Switch("quiet"), kCaller},
  };
  return *keys;
}

std::vector<options::Key> EvaluationKeysOf(EvaluationKeyUse use) {
  std::vector<options::Key> keys;
  for (const EvaluationKey& entry : EvaluationKeys()) {
    if (entry.use == use) keys.push_back(entry.key);
  }
  return keys;
}

}  // namespace assay
