// Tasks of family "attack".
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_RUN_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_RUN_H_

#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/outcomes.pb.h"
#include "server/engine/base/task.h"

namespace assay::engine {

// The attack of the task's condition over its samples, outcomes in their order.
absl::StatusOr<std::vector<v1::Outcome>> RunAttack(const TaskContext& task);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_RUN_H_
