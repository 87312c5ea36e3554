#include "server/scheduler/planner.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include "core/conditions/condition.h"

namespace assay::scheduler {
namespace {

// Model passes of one task. What a crash can cost at most, against the cost of a commit and of the
// padding at a task's end.
constexpr double kTaskWork = 50'000;
// Attacks keep batches of samples in flight and drain them at the end, so small tasks waste passes.
constexpr double kAttackWork = 250'000;
constexpr int64_t kMinAttackBatches = 24;
// Of an evaluation that stops when decided: what the first round has, and by how much of the rounds
// before it each one may go beyond the sample that decides.
constexpr int64_t kFirstRoundBatches = 2;
constexpr int64_t kRoundShare = 8;

// Whether a condition is planned at this moment.
bool IsPlanned(const v1::Condition& condition, Moment moment) {
  if (moment == Moment::kComplete) return true;
  return NeedsWholeDataset(condition) == (moment == Moment::kLastArrived);
}

// Of `count` samples, so that tasks are of one size and none is a remainder.
int64_t SamplesPerTask(const v1::Condition& condition, int64_t count, int batch,
                       int64_t most_samples) {
  const bool attack = condition.family() == kFamilyAttack;
  const double work = attack ? kAttackWork : kTaskWork;
  const auto wanted = static_cast<int64_t>(std::ceil(work / WorkPerSample(condition)));
  const int64_t least = attack ? std::min<int64_t>(kMinAttackBatches * batch, most_samples) : 1;
  const int64_t most = std::clamp(wanted, least, most_samples);
  const int64_t tasks = (count + most - 1) / most;
  return tasks > 0 ? (count + tasks - 1) / tasks : most;
}

// Samples [first, first + count) under condition number `index`, in tasks of `size`.
void AddTasks(const v1::Condition& condition, size_t index, int64_t first, int64_t count,
              int64_t size, std::vector<store::Task>* tasks) {
  const double work = WorkPerSample(condition);
  for (int64_t start = first; start < first + count; start += size) {
    store::Task task;
    task.condition = static_cast<int>(index);
    task.first_sample = start;
    task.samples = static_cast<int32_t>(std::min(size, first + count - start));
    task.work = work * task.samples;
    tasks->push_back(std::move(task));
  }
}

}  // namespace

std::vector<store::Task> PlanTasks(const std::vector<v1::Condition>& conditions, int64_t first,
                                   int64_t count, int32_t task_samples, Moment moment, int batch,
                                   int64_t most_samples) {
  std::vector<store::Task> tasks;
  for (size_t c = 0; c < conditions.size(); ++c) {
    if (!IsPlanned(conditions[c], moment)) continue;
    const int64_t size = NeedsWholeDataset(conditions[c]) ? count
                         : task_samples > 0
                             ? std::min<int64_t>(task_samples, most_samples)
                             : SamplesPerTask(conditions[c], count, batch, most_samples);
    AddTasks(conditions[c], c, first, count, size, &tasks);
  }
  return tasks;
}

std::vector<store::Task> PlanRounds(const std::vector<v1::Condition>& conditions, int64_t count,
                                    int32_t task_samples, int batch, int64_t most_samples) {
  std::vector<size_t> turns(conditions.size());
  std::iota(turns.begin(), turns.end(), size_t{0});
  std::stable_partition(turns.begin(), turns.end(),
                        [&](size_t c) { return conditions[c].family() == kFamilyClean; });
  std::vector<store::Task> tasks;
  for (int64_t first = 0, size = 0; first < count; first += size) {
    // Whole batches, so that no pass is padded but the last.
    size = task_samples > 0
               ? task_samples
               : std::max<int64_t>(kFirstRoundBatches, first / kRoundShare / batch) * batch;
    size = std::min(size, count - first);
    for (const size_t c : turns) {
      AddTasks(conditions[c], c, first, size,
               SamplesPerTask(conditions[c], size, batch, most_samples), &tasks);
    }
  }
  return tasks;
}

}  // namespace assay::scheduler
