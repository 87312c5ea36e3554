// Tasks of family "attack".
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_RUN_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_RUN_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/outcomes.pb.h"
#include "server/engine/base/task.h"

namespace assay::engine {

// The attack of the task's condition over its samples, outcomes in their order.
absl::StatusOr<std::vector<v1::Outcome>> RunAttack(const TaskContext& task);

// Writes into the outcomes of all samples of the task what is found out when all are there: whether
// some of those that held fall to an attack without a budget (unconstrained.h).
absl::Status CompleteAttack(const TaskContext& task, std::vector<v1::Outcome>& outcomes);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_RUN_H_
