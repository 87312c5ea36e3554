// Cuts evaluations into tasks.
#ifndef ASSAY_SERVER_SCHEDULER_PLANNER_H_
#define ASSAY_SERVER_SCHEDULER_PLANNER_H_

#include <cstdint>
#include <vector>

#include "assay/v1/types.pb.h"
#include "server/store/task.h"

namespace assay::scheduler {

// What is known of the data at the time of planning.
enum class Moment {
  kComplete,     // all of it: every condition is planned
  kPartArrived,  // a batch of a stream: the conditions that can work on parts are planned
  kLastArrived,  // the end of a stream: the others are
};

// Samples of a task at most: what an engine returns of a task is held in memory.
inline constexpr int64_t kMaxTaskSamples = 10'000;
inline constexpr int64_t kMaxTaskSamplesWithFeatures = 1'000;

// Tasks for samples [first, first + count) under every condition, condition by condition.
// `task_samples` 0: as many samples as make a task worth its checkpoint (a minute or so of a GPU,
// some minutes of a CPU), and enough to fill batches of `batch` images, but at most `most_samples`.
// Outcomes do not depend on the cut: conditions that look at all samples together have one task.
std::vector<store::Task> PlanTasks(const std::vector<v1::Condition>& conditions, int64_t first,
                                   int64_t count, int32_t task_samples,
                                   Moment moment = Moment::kComplete, int batch = 32,
                                   int64_t most_samples = kMaxTaskSamples);

// Tasks for an evaluation that stops as soon as its gates are decided: ranges of its random order
// [0, count), round by round, in the order in which they are to be done. A round is the same range
// under every condition, clean images first, so that all of them have the same samples at its end.
// Rounds are small at first, so that little is wasted where little is needed, and grow with what
// there is, so that whoever looks after each of them looks some dozens of times. `task_samples`
// other than 0 is the size of every round. No condition may need the whole dataset.
std::vector<store::Task> PlanRounds(const std::vector<v1::Condition>& conditions, int64_t count,
                                    int32_t task_samples, int batch,
                                    int64_t most_samples = kMaxTaskSamples);

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_PLANNER_H_
