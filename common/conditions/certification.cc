// Randomized smoothing, deterministic bounds, conformal sets.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/condition.h"
#include "common/conditions/table.h"

namespace assay::conditions {
namespace {

Method Gaussian() {
  return {kFamilySmoothing,
          "gaussian",
          "randomized smoothing, certified L2 radii (Cohen et al., 2019)",
          {Headline(Expanding(Real("sigma", "0.25", 0, 100, "standard deviation of the noise"))),
           Integer("n0", 100, 1, 1e6, "draws that select the class"),
           Integer("n", 100000, 1, 1e8, "draws that bound its probability"),
           Real("alpha", "0.001", 0, 1, "failure probability of one sample's certificate")},
          [](const Values& v) -> std::string {
            const double alpha = Number(v, "alpha").ToDouble();
            if (alpha >= 1) return "alpha must be below 1";
            const double n = Number(v, "n").ToDouble();
            const double smallest = std::ceil(std::log(alpha) / std::log(0.5));
            if (n < smallest) {
              return absl::StrCat("n=", v.at("n"), " can only abstain at alpha=", v.at("alpha"),
                                  "; the smallest n that can certify is ", smallest);
            }
            return "";
          },
          [](Params& p) {
            return static_cast<double>(p.Integer("n0")) + static_cast<double>(p.Integer("n"));
          }};
}

}  // namespace

std::vector<Method> Certification() { return {Gaussian()}; }

}  // namespace assay::conditions
