// What is no attack at all, inside the same budgets: noise, blur, less contrast.
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "core/conditions/table.h"

namespace assay::conditions {
namespace {

// One forward pass for each of `points`, the parameter that says how many points are tried.
Method Baseline(const std::string& name, const std::string& summary, std::vector<std::string> norms,
                Parameter points) {
  Method m{kFamilyAttack, name, summary, NormAndEps(std::move(norms)), CheckLinf, nullptr};
  m.work = [parameter = points.name](Params& p) {
    return 1 + static_cast<double>(p.Integer(parameter));
  };
  m.parameters.push_back(std::move(points));
  m.traits.black_box = true;
  return m;
}

// Each draw has its own random stream, of which a sample has 65,536.
Parameter Draws() { return Integer("draws", 100, 1, 65536, "independent draws"); }

Parameter Strengths() {
  return Integer("strengths", 20, 1, 65536, "strengths tried, evenly up to the largest that fits");
}

}  // namespace

std::vector<Method> BaselineAttacks() {
  const std::vector<std::string> norms = {"linf", "l2", "l1"};
  return {
      Baseline("uniform-noise", "baseline: uniform random points of the budget", norms, Draws()),
      Baseline("gaussian-noise", "baseline: normal noise scaled to the budget", norms, Draws()),
      Baseline("salt-and-pepper", "baseline: random pixels made black or white", {"l0", "l1", "l2"},
               Draws()),
      Baseline("gaussian-blur", "baseline: as much blur as the budget allows", norms, Strengths()),
      Baseline("contrast-reduction", "baseline: as much less contrast as the budget allows", norms,
               Strengths()),
  };
}

}  // namespace assay::conditions
