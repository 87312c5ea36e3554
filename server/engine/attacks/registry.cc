#include "server/engine/attacks/registry.h"

#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace assay::engine {
namespace {

struct Entry {
  const char* name;
  absl::StatusOr<std::unique_ptr<Attack>> (*make)(Params& params);
};

constexpr Entry kAttacks[] = {
    {"pgd", MakePgd},
};

}  // namespace

absl::StatusOr<std::unique_ptr<Attack>> MakeAttack(const v1::Condition& condition) {
  for (const Entry& entry : kAttacks) {
    if (condition.method() == entry.name) {
      Params params(condition);
      return entry.make(params);
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
