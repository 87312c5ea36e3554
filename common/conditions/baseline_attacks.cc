// What is no attack at all, inside the same budgets: noise, blur, less contrast.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/condition.h"
#include "common/conditions/table.h"

namespace assay::conditions {

std::vector<Method> BaselineAttacks() { return {}; }

}  // namespace assay::conditions
