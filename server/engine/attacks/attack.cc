#include "server/engine/attacks/attack.h"

namespace assay::engine {

void ReadBudget(Params& params, AttackParameters& parameters) {
  parameters.norm = NormNamed(params.Text("norm"));
  parameters.eps = params.Number("eps");
}

double Attack::Measure(const float* point, const AttackTarget& target) const {
  return Distance(parameters().norm, point, target.image, target.size);
}

}  // namespace assay::engine
