#include "server/engine/attacks/registry.h"

#include "absl/strings/str_cat.h"
#include "common/errors.h"

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
    {"pgd", AnyShape<MakePgd>},          {"apgd-ce", AnyShape<MakeApgdCe>},
    {"apgd-dlr", AnyShape<MakeApgdDlr>}, {"apgd-t", AnyShape<MakeApgdT>},
    {"fab-t", AnyShape<MakeFabT>},       {"square", MakeSquare},
    {"autoattack", MakeAutoAttack},
};

}  // namespace

Norm NormNamed(const std::string& name) { return name == "l2" ? Norm::kL2 : Norm::kLinf; }

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

std::vector<std::string> AttackNames() {
  std::vector<std::string> names;
  for (const Entry& entry : kAttacks) names.emplace_back(entry.name);
  return names;
}

}  // namespace assay::engine
