// The attacks by name.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_REGISTRY_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_REGISTRY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/types.pb.h"
#include "core/conditions/params.h"
#include "server/engine/attacks/attack.h"
#include "server/engine/base/task.h"

namespace assay::engine {

// The attack of a resolved condition of family "attack".
absl::StatusOr<std::unique_ptr<Attack>> MakeAttack(const v1::Condition& condition,
                                                   const Shape& shape);

// The attacks of the conditions, of one norm and budget, one after the other on what is still
// robust. A state's stage() names the method at work. At least one.
absl::StatusOr<std::unique_ptr<Attack>> MakeSequence(const std::vector<v1::Condition>& parts,
                                                     const Shape& shape);

// Some methods are more than an attack on one sample after the other, and run the task themselves.
// nullptr for all others.
using TaskMethod = absl::StatusOr<std::vector<v1::Outcome>> (*)(const TaskContext& task);
TaskMethod TaskMethodNamed(const std::string& name);

// Of both kinds.
std::vector<std::string> AttackNames();

// "linf", "l2", "l1" or "l0", as condition.cc has checked.
Norm NormNamed(const std::string& name);

// One maker for each method, in the method's own file.
absl::StatusOr<std::unique_ptr<Attack>> MakeApgdCe(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeApgdDlr(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeApgdT(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeAutoAttack(Params& params, const Shape& shape);
absl::StatusOr<std::unique_ptr<Attack>> MakeBim(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeCarliniWagner(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeContrastReduction(Params& params, const Shape& shape);
absl::StatusOr<std::unique_ptr<Attack>> MakeDdn(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeDeepFool(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeFab(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeFabT(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeFgsm(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeFmn(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeGaussianBlur(Params& params, const Shape& shape);
absl::StatusOr<std::unique_ptr<Attack>> MakeGaussianNoise(Params& params, const Shape& shape);
absl::StatusOr<std::unique_ptr<Attack>> MakeMiFgsm(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakePgd(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakeSaltAndPepper(Params& params, const Shape& shape);
absl::StatusOr<std::unique_ptr<Attack>> MakeSquare(Params& params, const Shape& shape);
absl::StatusOr<std::unique_ptr<Attack>> MakeHopSkipJump(Params& params, const Shape& shape);
absl::StatusOr<std::unique_ptr<Attack>> MakeNes(Params& params);
absl::StatusOr<std::unique_ptr<Attack>> MakePatch(Params& params, const Shape& shape);
absl::StatusOr<std::unique_ptr<Attack>> MakeSpatial(Params& params, const Shape& shape);
absl::StatusOr<std::unique_ptr<Attack>> MakeSpsa(Params& params);

// PGD on the mean of TaskContext.others, shown to the evaluated model.
absl::StatusOr<std::vector<v1::Outcome>> RunTransfer(const TaskContext& task);
// One perturbation for all samples of the task.
absl::StatusOr<std::vector<v1::Outcome>> RunUniversal(const TaskContext& task);
absl::StatusOr<std::unique_ptr<Attack>> MakeUniformNoise(Params& params, const Shape& shape);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_REGISTRY_H_
