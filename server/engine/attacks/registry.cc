#include "server/engine/attacks/registry.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine {

// Either makes the attack or runs the task; the other is nullptr.
struct AttackEntry {
  const char* name;
  NewAttack (*make)(Params& params);
  TaskMethod run;
};

// Both declare a function, which is in the method's own file, and list it.
#define ATTACK(name, Make)         \
  {                                \
    name,                          \
        [](Params& params) {       \
          NewAttack Make(Params&); \
          return Make(params);     \
        },                         \
        nullptr                    \
  }
#define TASK_METHOD(name, Run)                                          \
  {                                                                     \
    name, nullptr, [](const TaskContext& task) {                        \
      absl::StatusOr<std::vector<v1::Outcome>> Run(const TaskContext&); \
      return Run(task);                                                 \
    }                                                                   \
  }

// One line for each attack. (Not in an unnamed namespace: the functions would be declared in it.)
static constexpr AttackEntry kAttacks[] = {
    ATTACK("pgd", MakePgd),
    ATTACK("apgd-ce", MakeApgdCe),
    ATTACK("apgd-dlr", MakeApgdDlr),
    ATTACK("apgd-t", MakeApgdT),
    ATTACK("fab", MakeFab),
    ATTACK("fab-t", MakeFabT),
    ATTACK("square", MakeSquare),
    ATTACK("autoattack", MakeAutoAttack),
    ATTACK("spsa", MakeSpsa),
    ATTACK("nes", MakeNes),
    ATTACK("hopskipjump", MakeHopSkipJump),
    ATTACK("spatial", MakeSpatial),
    ATTACK("patch", MakePatch),
    ATTACK("fgsm", MakeFgsm),
    ATTACK("bim", MakeBim),
    ATTACK("mi-fgsm", MakeMiFgsm),
    ATTACK("uniform-noise", MakeUniformNoise),
    ATTACK("gaussian-noise", MakeGaussianNoise),
    ATTACK("salt-and-pepper", MakeSaltAndPepper),
    ATTACK("gaussian-blur", MakeGaussianBlur),
    ATTACK("contrast-reduction", MakeContrastReduction),
    ATTACK("fmn", MakeFmn),
    ATTACK("ddn", MakeDdn),
    ATTACK("deepfool", MakeDeepFool),
    ATTACK("cw", MakeCarliniWagner),
    TASK_METHOD("transfer", RunTransfer),
    TASK_METHOD("universal", RunUniversal),
};

NewAttack MakeAttack(const v1::Condition& condition) {
  for (const AttackEntry& entry : kAttacks) {
    if (condition.method() != entry.name || entry.make == nullptr) continue;
    Params params(condition);
    NewAttack attack = entry.make(params);
    ASSAY_RETURN_IF_ERROR(params.status());
    return attack;
  }
  return Error(Reason::kInvalidCondition,
               absl::StrCat("this engine has no attack '", condition.method(), "'"));
}

TaskMethod TaskMethodNamed(const std::string& name) {
  for (const AttackEntry& entry : kAttacks) {
    if (name == entry.name) return entry.run;
  }
  return nullptr;
}

std::vector<std::string> AttackNames() {
  std::vector<std::string> names;
  for (const AttackEntry& entry : kAttacks) names.emplace_back(entry.name);
  return names;
}

}  // namespace assay::engine
