// Attacks that climb the gradient of a loss inside a budget.
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "core/conditions/params.h"
#include "core/conditions/table.h"

namespace assay::conditions {
namespace {

Parameter Steps(int64_t default_value) {
  return Integer("steps", default_value, 1, 100000, "gradient steps of one run");
}

// The best perturbations of an L1 budget change few values. Steps along a dense gradient find them
// when they are long, as the projection then cuts the small changes off. How long is best depends
// on the model: of eps times 1/4, 1, 2, 5, 10 and 25, at eps 4 on 150 images of CIFAR-10, 2 was
// best for an undefended network and 10 for a robust one; both lost much with 1/4.
Parameter LongInL1(Parameter step) {
  const auto usual = step.default_value;
  const std::string text = absl::StrCat(step.default_text, "; 2 eps for l1");
  return WithDefault(
      std::move(step),
      [usual](const Values& v) {
        if (v.at("norm") != "l1") return usual(v);
        const Rational eps = Number(v, "eps");
        return CanonicalNumber(Rational(2 * eps.numerator(), eps.denominator()));
      },
      text);
}

Parameter Momentum(const std::string& default_text) {
  Parameter p = Real("momentum", default_text, 0, 10,
                     "share of the accumulated gradient that is kept at each step");
  p.above = false;
  return p;
}

// What every gradient attack can be told: where to, by which loss, over how many passes.
void AddGoal(std::vector<Parameter>& parameters) {
  Parameter target =
      Integer("target", 0, 0, 65535, "class that the model is to give: none means any wrong one");
  target.choices = {"none", "least-likely", "random", "every"};
  parameters.push_back(
      Later("none", WithDefault(
                        std::move(target), [](const Values&) { return "none"; }, "none")));
  parameters.push_back(
      Later("ce", Choice("loss", {"ce", "dlr", "margin"},
                         "what is climbed: cross-entropy, ratio or difference of logits")));
  parameters.push_back(
      Later("1", Integer("eot", 1, 1, 10000,
                         "gradient passes that are averaged at each step, for random models")));
}

// With norm and eps only. `runs` and `steps`: what its parameters make of them.
Method GradientAttack(const std::string& name, const std::string& summary,
                      std::function<double(Params&)> runs, std::function<double(Params&)> steps) {
  Method m{kFamilyAttack, name, summary, NormAndEps({"linf", "l2", "l1"}), CheckLinf, nullptr};
  m.work = [runs = std::move(runs), steps = std::move(steps)](Params& p) {
    // Towards every class is a run for each. Their number is not known here; ten classes are usual.
    constexpr double kTypicalTargets = 9;
    const double targets = p.Text("target") == "every" ? kTypicalTargets : 1;
    return GradientWork(targets * runs(p), steps(p) * static_cast<double>(p.Integer("eot")));
  };
  m.traits.classes = [](Params& p) {
    if (p.Text("loss") != "dlr") return 0;
    return p.Text("target") == "none" ? kRatioClasses : kTargetedRatioClasses;
  };
  return m;
}

double Once(Params&) { return 1; }
double AsManyAsSteps(Params& p) { return static_cast<double>(p.Integer("steps")); }
double AsManyAsRestarts(Params& p) { return static_cast<double>(p.Integer("restarts")); }

Method Pgd() {
  Method m =
      GradientAttack("pgd",
                     "projected gradient descent, by default on cross-entropy from a random start "
                     "(Madry et al., 2018)",
                     AsManyAsRestarts, AsManyAsSteps);
  m.parameters.push_back(Steps(20));
  m.parameters.push_back(LongInL1(StepSize(4)));
  m.parameters.push_back(Integer("restarts", 1, 1, 1000, "runs from different random starts"));
  m.parameters.push_back(
      Later("random", Choice("start", {"random", "none"},
                             "where a run starts: uniform in the budget, or at the image")));
  m.parameters.push_back(Later("0", Momentum("0")));
  AddGoal(m.parameters);
  m.check = [](const Values& v) -> std::string {
    if (v.at("start") == "none" && v.at("restarts") != "1") {
      return "restarts need start=random; without it every run is the same";
    }
    return CheckLinf(v);
  };
  return m;
}

Method Fgsm() {
  Method m = GradientAttack("fgsm",
                            "fast gradient sign: one step of size eps "
                            "(Goodfellow et al., 2015)",
                            Once, Once);
  AddGoal(m.parameters);
  return m;
}

Method Bim() {
  Method m = GradientAttack(
      "bim", "basic iterative method: PGD from the image itself (Kurakin et al., 2017)", Once,
      AsManyAsSteps);
  m.parameters.push_back(Steps(10));
  m.parameters.push_back(LongInL1(StepSize(5)));
  AddGoal(m.parameters);
  return m;
}

Method MiFgsm() {
  Method m = GradientAttack("mi-fgsm", "iterative gradient sign with momentum (Dong et al., 2018)",
                            Once, AsManyAsSteps);
  m.parameters.push_back(Steps(10));
  m.parameters.push_back(LongInL1(WithDefault(
      StepSize(1), [](const Values& v) { return EpsOver(Number(v, "steps").numerator(), v); },
      "eps/steps")));
  m.parameters.push_back(Momentum("1"));
  AddGoal(m.parameters);
  return m;
}

}  // namespace

std::vector<Method> GradientAttacks() { return {Pgd(), Fgsm(), Bim(), MiFgsm()}; }

}  // namespace assay::conditions
