// Condition expressions: the one place where they are parsed, checked, expanded and canonicalised.
//
//   clean
//   attack/pgd:norm=linf,eps=8/255,steps=20,step=2/255,restarts=1
//   corruption/gaussian_noise:severity=1-5
//   smoothing/gaussian:sigma=0.25,n0=100,n=10000,alpha=0.001
//
// Grammar: family[/method][:parameter=value,...]. A parameter that expands takes a list ("1+3") or
// a range of integers ("1-5") and makes one condition of each value. Canonical ids name family,
// method and the headline parameters; every other parameter that differs from its default follows
// ("attack/pgd/linf/8-255/steps=50"), so equal ids mean equal work.
//
// Methods that find distances answer for every budget at once: "eps" of attack/fmn lists the
// budgets to report, and conditions that differ in nothing else become one.
//
// "suite/NAME" stands for the expressions of a suite. The table of methods is in conditions/, a
// file for each group: a method is one row there.
#ifndef ASSAY_CORE_CONDITIONS_CONDITION_H_
#define ASSAY_CORE_CONDITIONS_CONDITION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/types.pb.h"
#include "core/conditions/families.h"  // IWYU pragma: export

namespace assay {

// Resolves expressions, in order, repetitions removed. Every problem of every expression is
// reported at once, as violations of fields "conditions[i]" (kInvalidCondition).
absl::StatusOr<std::vector<v1::Condition>> ParseConditions(
    const std::vector<std::string>& expressions);

// Model passes that one sample is expected to cost, a backward pass counting as two; for progress
// bars and task sizes.
double WorkPerSample(const v1::Condition& condition);

// Whether the outcomes depend on all samples together, so that one task must compute them.
bool NeedsWholeDataset(const v1::Condition& condition);

// Whether the outcomes are distances, from which robust accuracy at every eps follows; the
// parameter "eps" then lists the budgets that the report breaks down.
bool IsMinimumNorm(const v1::Condition& condition);

// What the condition's random draws are keyed by: its id, of which IsMinimumNorm leaves the budgets
// out, since outcomes must not depend on what is reported of them.
std::string RandomnessId(const v1::Condition& condition);

// A condition that IsMinimumNorm, once for each of its budgets, ascending: with that budget alone,
// and the id of that.
std::vector<v1::Condition> AtEachBudget(const v1::Condition& condition);

// Whether images are covered with the published frost photographs, which not every server has.
bool NeedsFrostPhotographs(const v1::Condition& condition);

// Ids of the models that the condition names beside the evaluated one, in its order.
std::vector<std::string> OtherModels(const v1::Condition& condition);

// Whether a model of `num_classes` classes has the class that the condition names as its target, if
// it names one; otherwise kInvalidCondition.
absl::Status CheckTargetClass(const v1::Condition& condition, int num_classes);

// The parts of a condition that is made of several, as attack/autoattack is, in the order in which
// they run; empty for others.
std::vector<v1::Condition> Stages(const v1::Condition& condition);

// Whether the method sees what the model answers, and never a gradient of it.
bool IsBlackBox(const v1::Condition& condition);

// Whether it, or a part of it, averages over passes of a model that draws random numbers.
bool AveragesPasses(const v1::Condition& condition);

// Classes that its losses need, fewer making simpler ones stand in (docs/conditions/attacks.md); 0:
// any number will do.
int ClassesNeeded(const v1::Condition& condition);

// What a user can write, for help texts.
struct ParameterHelp {
  std::string name;
  std::string default_value;  // how the default comes about
  std::string summary;
};
struct MethodHelp {
  std::string expression;  // "attack/pgd"
  std::string summary;
  std::vector<ParameterHelp> parameters;
};
std::vector<MethodHelp> AllMethods();
struct SuiteHelp {
  std::string name;  // written suite/NAME
  std::string summary;
  std::vector<std::string> expressions;
};
std::vector<SuiteHelp> AllSuites();

}  // namespace assay

#endif  // ASSAY_CORE_CONDITIONS_CONDITION_H_
