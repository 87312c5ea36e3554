#include "server/engine/attacks/run.h"

#include "core/base/errors.h"
#include "server/engine/attacks/driver.h"
#include "server/engine/attacks/registry.h"
#include "server/engine/attacks/unconstrained.h"

namespace assay::engine {

absl::StatusOr<std::vector<v1::Outcome>> RunAttack(const TaskContext& task) {
  if (const TaskMethod run = TaskMethodNamed(task.condition.method())) return run(task);
  ASSAY_ASSIGN_OR_RETURN(const auto attack, MakeAttack(task.condition));
  ASSAY_ASSIGN_OR_RETURN(auto outcomes, Drive(task, *attack));
  ASSAY_RETURN_IF_ERROR(TryWithoutABudget(task, outcomes));
  return outcomes;
}

}  // namespace assay::engine
