#include "server/engine/run_task.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "server/engine/attacks/run.h"
#include "server/engine/bounds/run.h"
#include "server/engine/certification/conformal.h"
#include "server/engine/certification/randomized_smoothing.h"
#include "server/engine/corruptions/run.h"

namespace assay::engine {
namespace {

absl::StatusOr<std::vector<v1::Outcome>> RunClean(const TaskContext& task) {
  std::vector<v1::Outcome> outcomes(task.samples.size());
  ASSAY_RETURN_IF_ERROR(ForwardAll(
      task, [&](size_t i, float* pixels) { task.samples.ReadImage(i, pixels); },
      [&](size_t i, const float* logits) {
        outcomes[i] = MakeOutcome(task.samples.index(i), task.samples.label(i),
                                  Predict(logits, task.classifier.num_classes()));
      }));
  return outcomes;
}

}  // namespace

absl::StatusOr<std::vector<v1::Outcome>> RunTask(const TaskContext& task,
                                                 const TaskResources& resources) {
  for (size_t i = 0; i < task.samples.size(); ++i) {
    const int label = task.samples.label(i);
    if (label < 0 || label >= task.classifier.num_classes()) {
      return Error(Reason::kLabelOutOfRange,
                   absl::StrCat("sample ", task.samples.index(i), " has label ", label,
                                ", but the model has ", task.classifier.num_classes(),
                                " classes (labels 0 to ", task.classifier.num_classes() - 1, ")"));
    }
  }
  const std::string& family = task.condition.family();
  if (family == kFamilyClean) return RunClean(task);
  if (family == kFamilyCorruption) return RunCorruption(task, resources.frost);
  if (family == kFamilySequence) return RunSequence(task, resources.frost);
  if (family == kFamilySmoothing) return RunRandomizedSmoothing(task);
  if (family == kFamilyBounds) {
    if (resources.network == nullptr) {
      return Error(Reason::kInvalidCondition,
                   "deterministic bounds need a single TorchScript model of supported operators");
    }
    ASSAY_ASSIGN_OR_RETURN(const auto network, resources.network());
    return RunBounds(task, *network);
  }
  if (family == kFamilyConformal) return RunConformal(task);
  if (family == kFamilyAttack) return RunAttack(task);
  return Error(Reason::kInvalidCondition, absl::StrCat("unknown family '", family, "'"));
}

}  // namespace assay::engine
