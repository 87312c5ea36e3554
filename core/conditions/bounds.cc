// Deterministic bounds and robust conformal sets.
#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "core/conditions/table.h"

namespace assay::conditions {
namespace {

Parameter BoundsEps() {
  return Headline(Expanding(Real("eps", "2/255", 0, 1, "Linf budget, in pixel values of [0, 1]")));
}

Method Ibp() {
  return {kFamilyBounds,
          "ibp",
          "interval bound propagation: accuracy proven at an Linf budget (Gowal et al., 2018)",
          {BoundsEps()},
          nullptr,
          [](Params&) { return 10.0; }};
}

Method Crown() {
  return {kFamilyBounds,
          "crown",
          "linear relaxation, backwards: accuracy proven at an Linf budget (Zhang et al., 2018)",
          {BoundsEps(), Choice("intermediate", {"crown", "ibp"},
                               "how the inputs of activations are bounded; ibp is quick and looser "
                               "(CROWN-IBP)")},
          nullptr,
          [](Params& p) { return p.Text("intermediate") == "ibp" ? 50.0 : 500.0; }};
}

Method Rscp() {
  return {kFamilyConformal,
          "rscp",
          "robust conformal sets, RSCP+ (Yan, Romano and Weng, 2024)",
          {Headline(Expanding(Real("sigma", "0.25", 0, 100, "standard deviation of the noise"))),
           Headline(WithDefault(
               Real("delta", "", 0, kMaxBudget, "L2 distance within which the guarantee holds"),
               [](const Values& v) {
                 const Rational sigma = Number(v, "sigma");
                 return Rational(sigma.numerator(), 2 * sigma.denominator()).ToString();
               },
               "sigma/2")),
           Integer("n", 256, 1, 1e6, "draws that estimate the scores"),
           Real("alpha", "0.1", 0, 1, "share of samples whose set may miss the label"),
           Real("beta", "0.001", 0, 1, "failure probability of each Monte-Carlo correction"),
           Choice("score", {"hps", "aps"}, "conformity score"),
           Later("hoeffding", Choice("bound", {"bernstein", "hoeffding"},
                                     "inequality of the Monte-Carlo correction")),
           Real("calibration", "0.5", 0, 1, "share of the samples that calibrates")},
          [](const Values& v) -> std::string {
            if (Number(v, "alpha").ToDouble() <= 2 * Number(v, "beta").ToDouble()) {
              return "alpha must be above 2 beta, which the Monte-Carlo corrections use up";
            }
            if (v.at("bound") == "bernstein" && v.at("n") == "1") {
              return "bound=bernstein needs a variance, so n of at least 2";
            }
            for (const char* name : {"alpha", "calibration"}) {
              if (Number(v, name).ToDouble() >= 1) return absl::StrCat(name, " must be below 1");
            }
            return "";
          },
          [](Params& p) { return static_cast<double>(p.Integer("n")); }};
}

}  // namespace

std::vector<Method> Bounds() { return {Ibp(), Crown(), Rscp()}; }

}  // namespace assay::conditions
