#include "server/engine/attacks/run.h"

#include "core/base/errors.h"
#include "server/engine/attacks/driver.h"
#include "server/engine/attacks/registry.h"
#include "server/engine/attacks/unconstrained.h"

namespace assay::engine {

absl::StatusOr<std::vector<v1::Outcome>> RunAttack(const TaskContext& task) {
  if (const TaskMethod run = TaskMethodNamed(task.condition.method())) return run(task);
  ASSAY_ASSIGN_OR_RETURN(const auto attack, MakeAttack(task.condition));
  return Drive(task, *attack);
}

absl::Status CompleteAttack(const TaskContext& task, std::vector<v1::Outcome>& outcomes) {
  if (TaskMethodNamed(task.condition.method()) != nullptr) return absl::OkStatus();
  return TryWithoutABudget(task, outcomes);
}

}  // namespace assay::engine
