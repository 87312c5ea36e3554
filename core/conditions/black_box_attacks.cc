// Attacks without the gradient of the model: queries, and transfer from other models.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "core/conditions/table.h"

namespace assay::conditions {
namespace {

// The share of eps that a step is for norms other than linf, where published steps mean little.
constexpr int64_t kStepsToTheBudget = 5;

// A gradient from `samples` queries in pairs, and a step along it.
Method EstimatedGradient(const std::string& name, const std::string& summary, int64_t steps,
                         int64_t samples, const std::string& delta, Parameter step) {
  Method m{kFamilyAttack, name, summary, NormAndEps({"linf", "l2"}), nullptr, nullptr};
  m.parameters.push_back(Integer("steps", steps, 1, 100000, "steps"));
  m.parameters.push_back(Integer("samples", samples, 2, 1000000,
                                 "queries for the gradient of a step, an even number"));
  m.parameters.push_back(
      Real("delta", delta, 0, 1, "how far from the point queries are, along random directions"));
  m.parameters.push_back(std::move(step));
  m.check = [](const Values& v) -> std::string {
    if (Number(v, "samples").numerator() % 2 != 0) {
      return "samples must be even: queries come in pairs, ahead and behind";
    }
    return CheckLinf(v);
  };
  m.work = [](Params& p) {
    return 1 + static_cast<double>(p.Integer("steps")) *
                   (static_cast<double>(p.Integer("samples")) + 1);
  };
  m.traits.black_box = true;
  return m;
}

Method Spsa() {
  return EstimatedGradient(
      "spsa", "margin loss, gradient from random signs, Adam (Uesato et al., 2018); sees logits",
      100, 128, "0.01",
      WithDefault(
          Real("step", "", 0, kMaxBudget,
               "learning rate of Adam for linf; for l2 the length of a step along its direction"),
          [](const Values& v) {
            if (v.at("norm") == "linf") return std::string("0.01");
            return EpsOver(kStepsToTheBudget, v);
          },
          absl::StrCat("0.01 for linf, eps/", kStepsToTheBudget, " for l2")));
}

Method Nes() {
  return EstimatedGradient(
      "nes", "margin loss, gradient from Gaussian noise, PGD (Ilyas et al., 2018); sees logits",
      200, 50, "0.001", StepSize(kStepsToTheBudget));
}

Method HopSkipJump() {
  Method m{kFamilyAttack,
           "hopskipjump",
           "minimum norm, sees only the predicted class (Chen et al., 2020)",
           NormAndBudgets({"l2", "linf"}),
           CheckBudgets,
           nullptr};
  m.parameters.push_back(Integer("queries", 5000, 1, 10000000, "queries for each sample"));
  m.work = [](Params& p) { return 1 + static_cast<double>(p.Integer("queries")); };
  m.traits.minimum_norm = true;
  m.traits.black_box = true;
  return m;
}

// PGD with all that it can be told, on other models.
Method Transfer() {
  Method m;
  for (Method& method : GradientAttacks()) {
    if (method.name == "pgd") m = std::move(method);
  }
  m.name = "transfer";
  m.traits.black_box = true;
  m.summary =
      "PGD with momentum on surrogates; the model sees the last points only "
      "(Dong et al., 2018)";
  for (Parameter& p : m.parameters) {
    if (p.name != "momentum") continue;
    p = WithDefault(
        std::move(p), [](const Values&) { return "1"; }, "1");
  }
  const auto after_eps = std::find_if(m.parameters.begin(), m.parameters.end(),
                                      [](const Parameter& p) { return !p.headline; });
  m.parameters.insert(after_eps,
                      Models("surrogates", "models whose mean logits are attacked", false));
  m.check = [of_pgd = m.check](const Values& v) -> std::string {
    const std::vector<std::string> models = absl::StrSplit(v.at("surrogates"), '+');
    if (std::set<std::string>(models.begin(), models.end()).size() < models.size()) {
      return "surrogates names a model twice; name each once";
    }
    return of_pgd(v);
  };
  return m;
}

}  // namespace

std::vector<Method> BlackBoxAttacks() { return {Spsa(), Nes(), HopSkipJump(), Transfer()}; }

}  // namespace assay::conditions
