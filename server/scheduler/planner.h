// Cuts evaluations into tasks.
#ifndef ASSAY_SERVER_SCHEDULER_PLANNER_H_
#define ASSAY_SERVER_SCHEDULER_PLANNER_H_

#include <cstdint>
#include <vector>

#include "assay/v1/types.pb.h"
#include "server/store/job_store.h"

namespace assay::scheduler {

// Tasks for samples [first, first + count) under every condition, condition by condition.
// `task_samples` 0: as many samples as make a task worth its checkpoint (a minute or so of a GPU,
// some minutes of a CPU), and enough to fill a batch. Outcomes do not depend on the cut.
std::vector<store::Task> PlanTasks(const std::vector<v1::Condition>& conditions, int64_t first,
                                   int64_t count, int32_t task_samples);

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_PLANNER_H_
