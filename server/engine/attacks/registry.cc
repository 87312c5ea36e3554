#include "server/engine/attacks/registry.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine {
namespace {

struct Entry {
  const char* name;
  absl::StatusOr<std::unique_ptr<Attack>> (*make)(Params& params, const Shape& shape);
};

// For methods that need not know the shape of the images.
template <absl::StatusOr<std::unique_ptr<Attack>> (*kMake)(Params& params)>
absl::StatusOr<std::unique_ptr<Attack>> AnyShape(Params& params, const Shape& /*shape*/) {
  return kMake(params);
}

constexpr Entry kAttacks[] = {
    {"pgd", AnyShape<MakePgd>},
    {"apgd-ce", AnyShape<MakeApgdCe>},
    {"apgd-dlr", AnyShape<MakeApgdDlr>},
    {"apgd-t", AnyShape<MakeApgdT>},
    {"fab", AnyShape<MakeFab>},
    {"fab-t", AnyShape<MakeFabT>},
    {"square", MakeSquare},
    {"autoattack", MakeAutoAttack},
    {"spsa", AnyShape<MakeSpsa>},
    {"nes", AnyShape<MakeNes>},
    {"hopskipjump", MakeHopSkipJump},
    {"spatial", MakeSpatial},
    {"patch", MakePatch},
    {"fgsm", AnyShape<MakeFgsm>},
    {"bim", AnyShape<MakeBim>},
    {"mi-fgsm", AnyShape<MakeMiFgsm>},
    {"uniform-noise", MakeUniformNoise},
    {"gaussian-noise", MakeGaussianNoise},
    {"salt-and-pepper", MakeSaltAndPepper},
    {"gaussian-blur", MakeGaussianBlur},
    {"contrast-reduction", MakeContrastReduction},
    {"fmn", AnyShape<MakeFmn>},
    {"ddn", AnyShape<MakeDdn>},
    {"deepfool", AnyShape<MakeDeepFool>},
    {"cw", AnyShape<MakeCarliniWagner>},
};

struct TaskEntry {
  const char* name;
  TaskMethod run;
};

constexpr TaskEntry kTaskMethods[] = {{"transfer", RunTransfer}, {"universal", RunUniversal}};

}  // namespace

Norm NormNamed(const std::string& name) {
  if (name == "l2") return Norm::kL2;
  if (name == "l1") return Norm::kL1;
  return name == "l0" ? Norm::kL0 : Norm::kLinf;
}

absl::StatusOr<std::unique_ptr<Attack>> MakeAttack(const v1::Condition& condition,
                                                   const Shape& shape) {
  for (const Entry& entry : kAttacks) {
    if (condition.method() == entry.name) {
      Params params(condition);
      return entry.make(params, shape);
    }
  }
  return Error(Reason::kInvalidCondition,
               absl::StrCat("this engine has no attack '", condition.method(), "'"));
}

TaskMethod TaskMethodNamed(const std::string& name) {
  for (const TaskEntry& entry : kTaskMethods) {
    if (name == entry.name) return entry.run;
  }
  return nullptr;
}

std::vector<std::string> AttackNames() {
  std::vector<std::string> names;
  for (const Entry& entry : kAttacks) names.emplace_back(entry.name);
  for (const TaskEntry& entry : kTaskMethods) names.emplace_back(entry.name);
  return names;
}

}  // namespace assay::engine
