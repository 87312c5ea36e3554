// The attacks by name.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_REGISTRY_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_REGISTRY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/types.pb.h"
#include "common/params.h"
#include "server/engine/attacks/attack.h"

namespace assay::engine {

// The attack of a resolved condition of family "attack".
absl::StatusOr<std::unique_ptr<Attack>> MakeAttack(const v1::Condition& condition,
                                                   const Shape& shape);

std::vector<std::string> AttackNames();

// "linf" or "l2", as condition.cc has checked.
Norm NormNamed(const std::string& name);

// One maker for each method, in the method's own file.
absl::StatusOr<std::unique_ptr<Attack>> MakeApgdCe(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeApgdDlr(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeApgdT(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeAutoAttack(Params& params, const Shape& shape);
absl::StatusOr<std::unique_ptr<Attack>> MakeFabT(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakePgd(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeSquare(Params& params, const Shape& shape);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_REGISTRY_H_
