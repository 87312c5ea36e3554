// The top of the engine: a task goes to the family of its condition.
#ifndef ASSAY_SERVER_ENGINE_RUN_TASK_H_
#define ASSAY_SERVER_ENGINE_RUN_TASK_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/outcomes.pb.h"
#include "core/corruptions/frost_photographs.h"
#include "server/engine/base/task.h"
#include "server/engine/bounds/network.h"

namespace assay::engine {

// What single families need beside the task.
struct TaskResources {
  // Corruptions: the published frost photographs; nullptr: none.
  const corruptions::FrostPhotographs* frost = nullptr;
  // Bounds: the model as a graph of operators with its weights, or kInvalidCondition with the
  // operator that stands in the way. Empty: the model has none.
  std::function<absl::StatusOr<std::shared_ptr<const bounds::Network>>()> network = nullptr;
};

// The outcomes of every sample of the task, in order; or the first error. kCancelled when the
// observer says so.
//
// `finished`: outcomes of some of the samples, as an observer has heard of them in a run over the
// same samples or others (OnOutcome). Those are taken over, and the task's outcomes are what they
// would be without. Not of conditions that need the whole dataset, which start over.
absl::StatusOr<std::vector<v1::Outcome>> RunTask(const TaskContext& task,
                                                 const TaskResources& resources = {},
                                                 const std::vector<v1::Outcome>& finished = {});

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_RUN_TASK_H_
