#include "server/engine/attacks/unconstrained.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/probe_order.h"
#include "core/conditions/condition.h"
#include "server/engine/attacks/driver.h"
#include "server/engine/attacks/sequence.h"

namespace assay::engine {
namespace {

// The part whose gradients are those from the image.
constexpr char kFromImage[] = "pgd";

NewAttack MakeUnconstrained() {
  ASSAY_ASSIGN_OR_RETURN(
      const std::vector<v1::Condition> parts,
      ParseConditions({absl::StrCat("attack/", kFromImage, ":eps=1,start=none,step=1/8,steps=20"),
                       "attack/apgd-ce:eps=1,steps=50,restarts=2",
                       "attack/apgd-dlr:eps=1,steps=50,restarts=2"}));
  return MakeSequence(parts);
}

// Hears of a task all of whose samples are done.
class DoneObserver final : public TaskObserver {
 public:
  explicit DoneObserver(const TaskContext& task) : task_(task) {}
  void OnProgress(int64_t /*samples_done*/, double /*fraction*/) override {
    task_.observer.OnProgress(static_cast<int64_t>(task_.samples.size()), 1);
  }
  bool Cancelled() override { return task_.observer.Cancelled(); }

 private:
  const TaskContext& task_;
};

std::vector<size_t> FirstSurvivors(const TaskContext& task,
                                   const std::vector<v1::Outcome>& outcomes) {
  std::vector<size_t> survivors;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const v1::AttackOutcome& attack = outcomes[i].attack();
    const bool survived = attack.attacked() && !attack.success() && !outcomes[i].undecided();
    if (survived && attack.backwards() > 0) survivors.push_back(i);
  }
  const auto order = [&](size_t i) { return ProbeOrder(task.samples.index(i)); };
  std::sort(survivors.begin(), survivors.end(),
            [&](size_t a, size_t b) { return order(a) < order(b); });
  survivors.resize(std::min<size_t>(survivors.size(), kMaxProbes));
  return survivors;
}

v1::AttackOutcome::Unconstrained Reading(const v1::Outcome& outcome) {
  const v1::AttackOutcome& attack = outcome.attack();
  // What the model answers there cannot be told, or there was no way on: the sample stays untried.
  if (outcome.undecided() || attack.nonfinite_gradients() > 0 || !attack.attacked()) {
    return v1::AttackOutcome::NOT_TRIED;
  }
  if (!attack.success()) return v1::AttackOutcome::HELD;
  return attack.stage() == kFromImage ? v1::AttackOutcome::FOOLED
                                      : v1::AttackOutcome::FOOLED_FROM_ELSEWHERE;
}

}  // namespace

absl::Status TryWithoutABudget(const TaskContext& task, std::vector<v1::Outcome>& outcomes) {
  const std::vector<size_t> survivors = FirstSurvivors(task, outcomes);
  if (survivors.empty()) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(const auto attack, MakeUnconstrained());
  // Only its id matters, by which random draws are keyed.
  v1::Condition condition;
  condition.set_id(absl::StrCat(RandomnessId(task.condition), "/unconstrained"));
  const ChosenSamples samples(task.samples, survivors);
  DoneObserver observer(task);
  DriveOptions options;
  options.verify = false;
  ASSAY_ASSIGN_OR_RETURN(
      const auto tried,
      Drive({condition, task.seed, samples, task.classifier, observer}, *attack, options));
  for (size_t i = 0; i < tried.size(); ++i) {
    outcomes[survivors[i]].mutable_attack()->set_unconstrained(Reading(tried[i]));
  }
  return absl::OkStatus();
}

}  // namespace assay::engine
