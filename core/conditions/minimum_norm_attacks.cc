// Attacks that look for the smallest perturbation. One run answers for every budget, so "eps" is
// a list that only the report reads.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "core/conditions/table.h"

namespace assay::conditions {
namespace {

// Norm, budgets, the method's own parameters, and what happens at the end. `work` is that of the
// method without the end.
Method MinimumNorm(const std::string& name, const std::string& summary,
                   std::vector<std::string> norms, std::vector<Parameter> own,
                   std::function<double(Params&)> work) {
  std::vector<Parameter> parameters = NormAndBudgets(std::move(norms));
  for (Parameter& p : own) parameters.push_back(std::move(p));
  parameters.push_back(
      Later("0", Integer("restarts", 8, 0, 1000,
                         "random starts of the search for any adversarial example, where the "
                         "method finds none from the image")));
  parameters.push_back(
      Later("0", Integer("polish", 4, 0, 1000,
                         "steps, after the method, to the nearest point of the linearised "
                         "boundary (not for l0)")));
  parameters.push_back(Integer("refine", 12, 0, 60,
                               "forward passes of the search at the end, between the image and the "
                               "nearest adversarial example"));
  Method m{kFamilyAttack, name, summary, std::move(parameters), CheckBudgets, nullptr};
  m.work = [work = std::move(work)](Params& p) {
    return work(p) + GradientWork(1, static_cast<double>(p.Integer("polish"))) +
           static_cast<double>(p.Integer("refine"));
  };
  m.traits.minimum_norm = true;
  return m;
}

double StepsWork(Params& p) { return GradientWork(1, static_cast<double>(p.Integer("steps"))); }

}  // namespace

std::vector<Method> MinimumNormAttacks() {
  return {
      MinimumNorm("fmn",
                  "fast minimum-norm attack on the difference of logits (Pintor et al., 2021)",
                  {"linf", "l2", "l1", "l0"}, {Integer("steps", 100, 1, 100000, "gradient steps")},
                  StepsWork),
      MinimumNorm("ddn", "decoupled direction and norm, on cross-entropy (Rony et al., 2019)",
                  {"l2"}, {Integer("steps", 100, 1, 100000, "gradient steps")}, StepsWork),
      MinimumNorm(
          "deepfool",
          "DeepFool: steps onto the nearest linearised boundary (Moosavi-Dezfooli et al., 2016)",
          {"l2", "linf"},
          {Integer("steps", 50, 1, 100000, "steps at most, each of `candidates` gradients"),
           Integer("candidates", 10, 1, 1000, "classes whose boundaries count, nearest first"),
           Real("overshoot", "0.02", 0, 10, "how far beyond the boundary, relative to the step")},
          // Most samples are across after a few steps.
          [](Params& p) {
            constexpr double kUsualSteps = 5;
            const double steps = std::min(kUsualSteps, static_cast<double>(p.Integer("steps")));
            return GradientWork(steps, static_cast<double>(p.Integer("candidates")));
          }),
      MinimumNorm("cw", "Carlini and Wagner: norm plus weighted margin, minimised by Adam (2017)",
                  {"l2"},
                  {Integer("steps", 1000, 1, 1000000, "iterations for each weight"),
                   Integer("searches", 9, 1, 100, "weights tried, by binary search"),
                   Real("step", "0.01", 0, 10, "learning rate of Adam, in tanh space"),
                   Real("weight", "0.001", 0, 1000000, "first weight of the margin")},
                  [](Params& p) {
                    return GradientWork(static_cast<double>(p.Integer("searches")),
                                        static_cast<double>(p.Integer("steps")));
                  }),
  };
}

}  // namespace assay::conditions
