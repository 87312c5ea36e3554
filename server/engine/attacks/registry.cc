#include "server/engine/attacks/registry.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine {

// One of the two.
struct AttackEntry {
  const char* name;
  NewAttack (*make)(Params& params);
  TaskMethod run;
};

// Both declare a function of a method's own file and list it: one that makes the attack, and one
// that runs a task.
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

// Not in an unnamed namespace, whose own the declarations would be.
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
