// The attacks by name.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_REGISTRY_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_REGISTRY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/outcomes.pb.h"
#include "assay/v1/types.pb.h"
#include "server/engine/attacks/attack.h"
#include "server/engine/base/task.h"

namespace assay::engine {

// The attack of a resolved condition of family "attack".
NewAttack MakeAttack(const v1::Condition& condition);

// Some methods are more than an attack on one sample after the other, and run the task themselves.
// nullptr for all others.
using TaskMethod = absl::StatusOr<std::vector<v1::Outcome>> (*)(const TaskContext& task);
TaskMethod TaskMethodNamed(const std::string& name);

// Of both kinds.
std::vector<std::string> AttackNames();

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_REGISTRY_H_
