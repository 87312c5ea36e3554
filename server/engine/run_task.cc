#include "server/engine/run_task.h"

#include <map>
#include <string>
#include <utility>

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
        task.observer.OnOutcome(outcomes[i]);
      }));
  return outcomes;
}

// Reports what is left of a task of which some samples were there before.
class RestObserver final : public TaskObserver {
 public:
  RestObserver(TaskObserver& whole, size_t there, size_t all)
      : whole_(whole), there_(there), all_(all) {}
  void OnProgress(int64_t samples_done, double fraction) override {
    const auto there = static_cast<double>(there_), all = static_cast<double>(all_);
    whole_.OnProgress(static_cast<int64_t>(there_) + samples_done,
                      (there + fraction * (all - there)) / all);
  }
  void OnOutcome(const v1::Outcome& outcome) override { whole_.OnOutcome(outcome); }
  bool Cancelled() override { return whole_.Cancelled(); }

 private:
  TaskObserver& whole_;
  const size_t there_, all_;
};

absl::StatusOr<std::vector<v1::Outcome>> RunFamily(const TaskContext& task,
                                                   const TaskResources& resources) {
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

// The samples that are not finished; the outcomes of the others into their places.
std::vector<size_t> TakeFinished(const SampleSource& samples,
                                 const std::vector<v1::Outcome>& finished,
                                 std::vector<v1::Outcome>& outcomes) {
  std::map<int64_t, const v1::Outcome*> there;
  for (const v1::Outcome& outcome : finished) there[outcome.sample()] = &outcome;
  std::vector<size_t> rest;
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto found = there.find(samples.index(i));
    if (found == there.end() || found->second->label() != samples.label(i)) {
      rest.push_back(i);
      continue;
    }
    outcomes[i] = *found->second;
    // Said of the task that it was in.
    if (outcomes[i].has_attack()) outcomes[i].mutable_attack()->clear_unconstrained();
  }
  return rest;
}

// Runs the samples that are not finished.
absl::StatusOr<std::vector<v1::Outcome>> RunRest(const TaskContext& task,
                                                 const TaskResources& resources,
                                                 const std::vector<v1::Outcome>& finished) {
  if (finished.empty() || NeedsWholeDataset(task.condition)) return RunFamily(task, resources);
  std::vector<v1::Outcome> outcomes(task.samples.size());
  const std::vector<size_t> rest = TakeFinished(task.samples, finished, outcomes);
  if (rest.empty()) return outcomes;
  const ChosenSamples samples(task.samples, rest);
  RestObserver observer(task.observer, outcomes.size() - rest.size(), outcomes.size());
  ASSAY_ASSIGN_OR_RETURN(auto computed,
                         RunFamily({task.condition, task.seed, samples, task.classifier, observer,
                                    task.others, task.kept, task.checkpoints},
                                   resources));
  for (size_t i = 0; i < rest.size(); ++i) outcomes[rest[i]] = std::move(computed[i]);
  return outcomes;
}

}  // namespace

absl::StatusOr<std::vector<v1::Outcome>> RunTask(const TaskContext& task,
                                                 const TaskResources& resources,
                                                 const std::vector<v1::Outcome>& finished) {
  for (size_t i = 0; i < task.samples.size(); ++i) {
    const int label = task.samples.label(i);
    if (label < 0 || label >= task.classifier.num_classes()) {
      return Error(Reason::kLabelOutOfRange,
                   absl::StrCat("sample ", task.samples.index(i), " has label ", label,
                                ", but the model has ", task.classifier.num_classes(),
                                " classes (labels 0 to ", task.classifier.num_classes() - 1, ")"));
    }
  }
  ASSAY_ASSIGN_OR_RETURN(auto outcomes, RunRest(task, resources, finished));
  if (task.condition.family() == kFamilyAttack) {
    ASSAY_RETURN_IF_ERROR(CompleteAttack(task, outcomes));
  }
  return outcomes;
}

}  // namespace assay::engine
