// Named sets of conditions.
#include "common/conditions/table.h"

namespace assay::conditions {

std::vector<Suite> Suites() {
  return {
      {"autoattack",
       "clean accuracy and AutoAttack, the protocol of RobustBench for linf at 8/255",
       {"clean", "attack/autoattack:norm=linf,eps=8/255"}},
      {"classwise",
       "class by class: clean, PGD at growing budgets, every class towards every other "
       "(arXiv 2411.19853)",
       {"clean", "attack/pgd:norm=linf,eps=1/255+2/255+4/255+8/255,steps=20"}},
  };
}

}  // namespace assay::conditions
