// AutoAttack (Croce and Hein, ICML 2020): the attacks of its version, one after the other on what
// is still robust; the pointwise worst case.
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "server/engine/attacks/sequence.h"

namespace assay::engine {

NewAttack MakeAutoAttack(Params& params) {
  const std::vector<v1::Condition> stages = Stages(params.condition());
  if (stages.empty()) return Error(Reason::kInvalidCondition, "autoattack without parts");
  return MakeSequence(stages);
}

}  // namespace assay::engine
