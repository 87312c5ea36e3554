// Attacks whose budget is no ball: rotations and translations, patches, universal perturbations.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/condition.h"
#include "common/conditions/table.h"

namespace assay::conditions {

std::vector<Method> LocalAttacks() { return {}; }

}  // namespace assay::conditions
