// Attacks that climb the gradient of a loss inside a budget.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/condition.h"
#include "common/conditions/table.h"

namespace assay::conditions {
namespace {

Method Pgd() {
  Method m{kFamilyAttack,
           "pgd",
           "projected gradient descent on cross-entropy, random start (Madry et al., 2018)",
           NormAndEps({"linf", "l2"}),
           CheckLinf,
           nullptr};
  m.parameters.push_back(Integer("steps", 20, 1, 100000, "gradient steps of one restart"));
  m.parameters.push_back(WithDefault(
      Real("step", "", 0, kMaxBudget, "step size, in pixel values"),
      [](const Values& v) {
        const Rational eps = Number(v, "eps");
        return CanonicalNumber(Rational(eps.numerator(), eps.denominator() * 4));
      },
      "eps/4"));
  m.parameters.push_back(Integer("restarts", 1, 1, 1000, "random starts"));
  m.work = [](Params& p) {
    return GradientWork(static_cast<double>(p.Integer("restarts")),
                        static_cast<double>(p.Integer("steps")));
  };
  return m;
}

}  // namespace

std::vector<Method> GradientAttacks() { return {Pgd()}; }

}  // namespace assay::conditions
