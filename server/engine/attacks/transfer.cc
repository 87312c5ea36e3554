// Transfer (Szegedy et al., "Intriguing properties of neural networks", ICLR 2014; with momentum
// and on the mean of several models' logits: Dong et al., CVPR 2018): PGD on surrogates, of which
// the evaluated model sees the last point of each run only.
#include <memory>
#include <vector>

#include "core/base/errors.h"
#include "server/engine/attacks/driver.h"
#include "server/engine/attacks/registry.h"
#include "server/engine/base/ensemble.h"

namespace assay::engine {

absl::StatusOr<std::vector<v1::Outcome>> RunTransfer(const TaskContext& task) {
  v1::Condition pgd = task.condition;
  pgd.set_method("pgd");
  ASSAY_ASSIGN_OR_RETURN(const auto attack, MakeAttack(pgd));
  ASSAY_ASSIGN_OR_RETURN(const auto surrogates, EnsembleClassifier::Create(task.others));
  // The driver shows the same points to both.
  ASSAY_RETURN_IF_ERROR(CheckSameInterface(task.classifier, *surrogates, "a surrogate"));
  return Drive(task, *attack, {surrogates.get()});
}

}  // namespace assay::engine
