// Attacks without the gradient of the model: queries, and transfer from other models.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/condition.h"
#include "common/conditions/table.h"

namespace assay::conditions {

std::vector<Method> BlackBoxAttacks() { return {}; }

}  // namespace assay::conditions
