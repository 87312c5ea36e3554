#include "core/report/attack_checks.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/probe_order.h"
#include "core/base/rational.h"
#include "core/conditions/condition.h"
#include "core/report/checks.h"
#include "core/report/condition_checks.h"

namespace assay::report {
namespace {

constexpr char kRandomisedModel[] = "randomised-model";
constexpr char kSoftmaxOutput[] = "softmax-output";
constexpr char kGradientAvailable[] = "gradient-available";
constexpr char kGradientError[] = "gradient-error";
constexpr char kClassCount[] = "class-count";
constexpr char kBetterThanGuessing[] = "better-than-guessing";
constexpr char kZeroGradients[] = "zero-gradients";
constexpr char kNonfiniteGradients[] = "nonfinite-gradients";
constexpr char kUndecidedSamples[] = "undecided-samples";
constexpr char kTiedLogits[] = "tied-logits";
constexpr char kSilentSuccess[] = "silent-success";
constexpr char kBudget[] = "budget";
constexpr char kSurvivesRounding[] = "survives-rounding";
constexpr char kSquareAfterGradients[] = "square-after-gradients";
constexpr char kUnconstrainedAttack[] = "unconstrained-attack";
constexpr char kBreakPointAngle[] = "break-point-angle";
constexpr char kIncreasingLoss[] = "increasing-loss";
constexpr char kBlackBoxComparison[] = "black-box-comparison";
constexpr char kNonTransferability[] = "non-transferability";

// Thresholds; docs/checks.md has their sources.
constexpr double kMaxGradientError = 0.05;
constexpr double kManyZeroGradients = 0.01, kMostlyZeroGradients = 0.5;
constexpr double kSomeSilent = 0.01, kManySilent = 0.1;
constexpr double kMostlyUndecided = 0.5;
constexpr double kMinSurvivesRounding = 0.9;
constexpr double kMaxBlackBoxGain = 0.002;
constexpr double kMaxBreakPointAngle = 0.5;
constexpr double kMaxIncreasingLoss = 0.2;
constexpr double kMaxNotTransferred = 0.5;

const std::string* Parameter(const v1::Condition& condition, const std::string& name) {
  const auto found = condition.parameters().find(name);
  return found == condition.parameters().end() ? nullptr : &found->second;
}

bool ParameterIs(const v1::Condition& condition, const std::string& name,
                 const std::string& value) {
  const std::string* text = Parameter(condition, name);
  return text != nullptr && *text == value;
}

// Whether the attack wants one class rather than any mistake.
bool WantsOneClass(const v1::Condition& condition) {
  const std::string* target = Parameter(condition, "target");
  return target != nullptr && *target != "none" && *target != "every";
}

// Whether it expects a model that draws at random.
bool ForRandomModels(const v1::Condition& condition) {
  const std::string* eot = Parameter(condition, "eot");
  return (eot != nullptr && *eot != "1") || ParameterIs(condition, "version", "rand");
}

// Why checks of gradients do not apply; empty where the attack used gradients of the model.
std::string NoGradients(const v1::Condition& condition, const v1::AttackReport& attack) {
  if (attack.attacked() == 0) return "no sample was attacked";
  if (!OtherModels(condition).empty()) return "the gradients are those of other models";
  return attack.backwards() == 0 ? "this attack uses no gradient" : "";
}

// --- the model

void CheckModel(const v1::Condition& condition, const v1::ModelValidation* model,
                const std::string& no_gradients, Checks& checks) {
  if (model == nullptr) {
    constexpr char kWhy[] = "no engine has validated the model yet";
    for (const char* name :
         {kRandomisedModel, kSoftmaxOutput, kGradientAvailable, kGradientError}) {
      checks.NotApplicable(name, kWhy);
    }
    return;
  }
  if (ForRandomModels(condition)) {
    checks.NotApplicable(kRandomisedModel, "this attack averages over random passes");
  } else if (model->deterministic()) {
    checks.Add(kRandomisedModel, v1::Check::PASSED, "passes of the same images agree");
  } else {
    checks.Add(kRandomisedModel, v1::Check::FAILED,
               "passes of the same images differ; attack it with eot above 1 or version=rand");
  }
  if (model->softmax_output()) {
    checks.Add(kSoftmaxOutput, v1::Check::WARNING,
               "outputs are probabilities; export the model without its softmax");
  } else {
    checks.Add(kSoftmaxOutput, v1::Check::PASSED, "outputs are no probabilities");
  }
  if (!no_gradients.empty()) {
    checks.NotApplicable(kGradientAvailable, no_gradients);
    checks.NotApplicable(kGradientError, no_gradients);
    return;
  }
  if (model->differentiable()) {
    checks.Add(kGradientAvailable, v1::Check::PASSED, "random images have a gradient");
  } else {
    checks.Add(
        kGradientAvailable, v1::Check::FAILED,
        "random images have no finite gradient; replace rounding, or use a black-box attack");
  }
  if (model->has_gradient_relative_error()) {
    checks.Judge(kGradientError, model->gradient_relative_error(), {kMaxGradientError},
                 absl::StrCat("gradients are off finite differences by ",
                              Percent(model->gradient_relative_error())),
                 "look for rounding and detached parts");
  } else {
    checks.NotApplicable(kGradientError, "random images have no finite gradient");
  }
}

// Classes that the ratio losses of the attack need (docs/conditions/attacks.md says what it falls
// back to); 0 without.
int ClassesNeeded(const v1::Condition& condition, const v1::AttackReport& attack) {
  constexpr int kRatio = 3, kTargetedRatio = 4;
  int needed = 0;
  const auto uses = [&](const std::string& method) {
    if (method == "apgd-dlr") needed = std::max(needed, kRatio);
    if (method == "apgd-t") needed = std::max(needed, kTargetedRatio);
  };
  uses(condition.method());
  for (const v1::AttackStage& stage : attack.stages()) uses(stage.name());
  if (ParameterIs(condition, "loss", "dlr")) {
    const bool any =
        Parameter(condition, "target") == nullptr || ParameterIs(condition, "target", "none");
    needed = std::max(needed, any ? kRatio : kTargetedRatio);
  }
  return needed;
}

void CheckClassCount(const v1::Condition& condition, int num_classes,
                     const v1::AttackReport& attack, Checks& checks) {
  const int needed = ClassesNeeded(condition, attack);
  if (needed == 0) {
    checks.NotApplicable(kClassCount, "no loss of this attack needs several classes");
    return;
  }
  Limit limit;
  limit.threshold = needed;
  limit.at_least = true;
  checks.Judge(kClassCount, num_classes, limit, absl::StrCat(num_classes, " classes"),
               absl::StrCat("the ratio of logits needs ", needed, ", so a simpler loss was used"));
}

// --- the numbers

void CheckGradients(const ResolvedCondition& resolved, const std::string& no_gradients,
                    bool minimum_norm, const v1::ConditionReport& report, Checks& checks) {
  if (!no_gradients.empty()) {
    for (const char* name : {kZeroGradients, kNonfiniteGradients, kSilentSuccess}) {
      checks.NotApplicable(name, no_gradients);
    }
    return;
  }
  const size_t classes = static_cast<size_t>(resolved.num_classes);
  std::vector<int64_t> passes(classes), zeros(classes);
  int64_t survivors = 0, silent = 0;
  for (const ResolvedSample& sample : resolved.samples) {
    const v1::AttackOutcome& attack = sample.outcome->attack();
    passes[static_cast<size_t>(sample.label())] += attack.backwards();
    zeros[static_cast<size_t>(sample.label())] += attack.zero_gradients();
    survivors += sample.correct ? 1 : 0;
    silent += sample.correct && attack.unconfirmed_candidates() > 0 ? 1 : 0;
  }
  double worst = 0;
  int worst_class = 0;
  for (size_t c = 0; c < classes; ++c) {
    if (passes[c] == 0 || Share(zeros[c], passes[c]) <= worst) continue;
    worst = Share(zeros[c], passes[c]);
    worst_class = static_cast<int>(c);
  }
  checks.Judge(kZeroGradients, worst, {kManyZeroGradients, kMostlyZeroGradients},
               worst == 0 ? "every gradient had a direction"
                          : absl::StrCat(Percent(worst), " of the gradients of ",
                                         report.classes(worst_class).name(), " were zero"),
               "use another loss or a black-box attack");
  const v1::AttackReport& attack = report.attack();
  checks.Judge(kNonfiniteGradients, Share(attack.nonfinite_gradients(), attack.backwards()), {0},
               Of(attack.nonfinite_gradients(), attack.backwards(), "gradient") + " not finite",
               "look for divisions, roots and logarithms of 0");
  if (minimum_norm) {
    checks.NotApplicable(kSilentSuccess, "minimum-norm attacks end on the boundary itself");
  } else if (survivors == 0) {
    checks.NotApplicable(kSilentSuccess, "no sample stayed robust");
  } else {
    checks.Judge(kSilentSuccess, Share(silent, survivors), {kSomeSilent, kManySilent},
                 Of(silent, survivors, "survivor") + " were fooled in a gradient pass only",
                 "is the model random, or does it adapt?");
  }
}

void CheckSamples(const ResolvedCondition& resolved, const v1::ConditionReport& report,
                  Checks& checks) {
  const v1::AttackReport& attack = report.attack();
  const int64_t undecided = std::count_if(
      resolved.samples.begin(), resolved.samples.end(), [](const ResolvedSample& sample) {
        return sample.undecided && sample.outcome->attack().attacked();
      });
  if (attack.attacked() == 0) {
    checks.NotApplicable(kUndecidedSamples, "no sample was attacked");
  } else {
    checks.Judge(kUndecidedSamples, Share(undecided, attack.attacked()), {0, kMostlyUndecided},
                 Of(undecided, attack.attacked(), "attacked sample") + " became not finite",
                 "they count as not robust; mend the model");
  }
  if (report.samples() == 0) {
    checks.NotApplicable(kTiedLogits, "no samples");
  } else {
    checks.Judge(kTiedLogits, Share(report.ties(), report.samples()), {0},
                 Of(report.ties(), report.samples(), "sample") + " have a tied largest logit",
                 "they count as wrong; does the model round?");
  }
}

void CheckExamples(const v1::Condition& condition, const v1::AttackReport& attack, Checks& checks) {
  const std::string* eps = Parameter(condition, "eps");
  const auto budget =
      eps == nullptr ? absl::StatusOr<Rational>(absl::NotFoundError("")) : Rational::Parse(*eps);
  const bool minimum_norm = IsMinimumNorm(condition);
  if (attack.successes() == 0) {
    checks.NotApplicable(kBudget, "no attack succeeded");
    checks.NotApplicable(kSurvivesRounding, "no attack succeeded");
    return;
  }
  if (minimum_norm || !budget.ok() || Parameter(condition, "norm") == nullptr) {
    checks.NotApplicable(kBudget, "this attack has no budget that is a distance");
  } else {
    // As the engine allows for rounding.
    const double allowed = budget->ToDouble() * (1 + 1e-6);
    checks.Judge(
        kBudget, attack.max_distance(), {allowed, allowed},
        absl::StrFormat("the farthest example is at %.6g of %s", attack.max_distance(), *eps),
        "report this as a fault of Assay");
  }
  if (minimum_norm) {
    checks.NotApplicable(kSurvivesRounding, "minimum-norm attacks end on the boundary itself");
    return;
  }
  Limit limit;
  limit.threshold = kMinSurvivesRounding;
  limit.at_least = true;
  checks.Judge(kSurvivesRounding, attack.survives_rounding().value(), limit,
               absl::StrCat(Percent(attack.survives_rounding().value()),
                            " of the examples survive rounding to 8 bits"),
               "stored as images, the others do no harm");
}

void CheckSquare(const v1::ConditionReport& report, const std::string& no_gradients,
                 Checks& checks) {
  const v1::AttackReport& attack = report.attack();
  const auto square = std::find_if(attack.stages().begin(), attack.stages().end(),
                                   [](const auto& stage) { return stage.name() == "square"; });
  if (square == attack.stages().end() || !no_gradients.empty()) {
    checks.NotApplicable(kSquareAfterGradients, "no Square after gradient attacks");
    return;
  }
  checks.Judge(kSquareAfterGradients, Share(square->successes(), report.samples()),
               {kMaxBlackBoxGain},
               Of(square->successes(), report.samples(), "sample") + " fell to Square only",
               "gradients mislead; use more of Square");
}

// --- indicators of attack failure

// What became of the survivors that were tried without a budget.
struct Unconstrained {
  int64_t tried = 0;
  int64_t from_image = 0;      // fell by gradients from the image
  int64_t from_elsewhere = 0;  // fell from another start only
  int64_t fell() const { return from_image + from_elsewhere; }
};

// The first kMaxProbes of them: more were tried if the samples were in several tasks.
Unconstrained CountUnconstrained(const ResolvedCondition& resolved) {
  std::vector<const v1::Outcome*> outcomes;
  for (const ResolvedSample& sample : resolved.samples) {
    if (sample.correct &&
        sample.outcome->attack().unconstrained() != v1::AttackOutcome::NOT_TRIED) {
      outcomes.push_back(sample.outcome);
    }
  }
  std::sort(outcomes.begin(), outcomes.end(), [](const v1::Outcome* a, const v1::Outcome* b) {
    return ProbeOrder(a->sample()) < ProbeOrder(b->sample());
  });
  outcomes.resize(std::min<size_t>(outcomes.size(), kMaxProbes));
  Unconstrained counts;
  counts.tried = static_cast<int64_t>(outcomes.size());
  for (const v1::Outcome* outcome : outcomes) {
    const auto what = outcome->attack().unconstrained();
    counts.from_image += what == v1::AttackOutcome::FOOLED ? 1 : 0;
    counts.from_elsewhere += what == v1::AttackOutcome::FOOLED_FROM_ELSEWHERE ? 1 : 0;
  }
  return counts;
}

void CheckUnconstrained(const ResolvedCondition& resolved, bool minimum_norm, Checks& checks) {
  const Unconstrained counts = CountUnconstrained(resolved);
  const std::string fell = Of(counts.fell(), counts.tried, "survivor");
  if (counts.tried == 0) {
    checks.NotApplicable(kUnconstrainedAttack, "none of the samples that are tried stayed robust");
  } else if (minimum_norm && counts.fell() > 0) {
    // A survivor of such an attack is said to have no adversarial example at all.
    checks.Judge(kUnconstrainedAttack, Share(counts.fell(), counts.tried), {0, 0},
                 fell + " at any budget fell to APGD from several starts",
                 "it missed them: use another");
  } else {
    checks.Judge(
        kUnconstrainedAttack, Share(counts.tried - counts.from_image, counts.tried),
        {0, 1.0 / resolved.num_classes},
        absl::StrCat(fell, " fell without a budget, ", counts.from_image, " from the image"),
        "its gradients do not lead anywhere");
  }
}

void CheckIndicators(const ResolvedCondition& resolved, const std::string& no_gradients,
                     bool for_random_models, bool minimum_norm, Checks& checks) {
  if (!no_gradients.empty()) {
    for (const char* name : {kUnconstrainedAttack, kBreakPointAngle, kIncreasingLoss}) {
      checks.NotApplicable(name, no_gradients);
    }
    return;
  }
  CheckUnconstrained(resolved, minimum_norm, checks);
  int64_t measured = 0;
  double angles = 0, increases = 0;
  for (const ResolvedSample& sample : resolved.samples) {
    if (!sample.correct) continue;
    const v1::AttackOutcome& attack = sample.outcome->attack();
    if (!attack.has_break_point_angle() || !attack.has_increasing_loss()) continue;
    ++measured;
    angles += attack.break_point_angle();
    increases += attack.increasing_loss();
  }
  if (for_random_models || measured == 0) {
    for (const char* name : {kBreakPointAngle, kIncreasingLoss}) {
      checks.NotApplicable(name, for_random_models ? "the losses are random"
                                                   : "no survivor has losses that say anything");
    }
    return;
  }
  const double angle = angles / static_cast<double>(measured);
  checks.Judge(kBreakPointAngle, angle, {kMaxBreakPointAngle},
               absl::StrFormat("%.2f, mean of %d survivors", angle, measured),
               "the loss still falls: more steps, or larger ones");
  const double increasing = increases / static_cast<double>(measured);
  checks.Judge(kIncreasingLoss, increasing, {kMaxIncreasingLoss},
               absl::StrFormat("%.2f, mean of %d survivors", increasing, measured),
               "the loss jumps: smaller steps, or another loss");
}

// --- comparisons

// What one attack of the evaluation is to the others.
struct Compared {
  const ConditionOutcomes* outcomes = nullptr;
  v1::ConditionReport* report = nullptr;
  bool transfer = false;
  bool white_box = false;
  // Complete, for any mistake, inside a budget that others can have too, sample by sample.
  bool comparable = false;

  double robust() const { return report->attack().robust_accuracy().value(); }
  bool SameBudget(const Compared& other) const {
    const auto same = [&](const char* name) {
      return *Parameter(outcomes->condition, name) == *Parameter(other.outcomes->condition, name);
    };
    return comparable && other.comparable && same("norm") && same("eps") &&
           report->samples() == other.report->samples();
  }
};

Compared Compare(const ConditionOutcomes& outcomes, v1::ConditionReport* report) {
  const v1::Condition& condition = outcomes.condition;
  Compared compared;
  compared.outcomes = &outcomes;
  compared.report = report;
  compared.transfer = !OtherModels(condition).empty();
  compared.white_box = NoGradients(condition, report->attack()).empty();
  compared.comparable = report->missing() == 0 && report->attack().attacked() > 0 &&
                        Parameter(condition, "norm") != nullptr &&
                        Parameter(condition, "eps") != nullptr && !WantsOneClass(condition) &&
                        !NeedsWholeDataset(condition);
  return compared;
}

// The strongest attack of the same budget that `is` says; nullptr without.
template <typename Is>
const Compared* Strongest(const std::vector<Compared>& all, const Compared& own, const Is& is) {
  const Compared* best = nullptr;
  for (const Compared& other : all) {
    if (&other == &own || !is(other) || !own.SameBudget(other)) continue;
    if (best == nullptr || other.robust() < best->robust()) best = &other;
  }
  return best;
}

void CompareWithBlackBoxes(const std::vector<Compared>& all, const Compared& own, Checks& checks) {
  if (!own.white_box) {
    checks.NotApplicable(kBlackBoxComparison,
                         NoGradients(own.outcomes->condition, own.report->attack()));
    return;
  }
  const Compared* other = Strongest(all, own, [](const Compared& c) { return !c.white_box; });
  if (other == nullptr) {
    checks.NotApplicable(kBlackBoxComparison, "no complete black-box attack of the same budget");
    return;
  }
  checks.Judge(kBlackBoxComparison, own.robust() - other->robust(), {kMaxBlackBoxGain},
               absl::StrCat(other->report->id(), " leaves ", Percent(other->robust()),
                            " robust, this ", Percent(own.robust())),
               "quote the lower");
}

// Of the samples that the strongest white-box attack fools, those that the transfer does not.
void CompareTransfer(const std::vector<Compared>& all, const Compared& own, Checks& checks) {
  if (!own.transfer) {
    checks.NotApplicable(kNonTransferability, "no transfer attack");
    return;
  }
  const Compared* white = Strongest(all, own, [](const Compared& c) { return c.white_box; });
  if (white == nullptr || white->report->attack().successes() == 0) {
    checks.NotApplicable(kNonTransferability,
                         "no complete white-box attack of the same budget fools anything");
    return;
  }
  absl::flat_hash_set<int64_t> fooled;
  for (const v1::Outcome& outcome : own.outcomes->outcomes) {
    if (outcome.attack().success()) fooled.insert(outcome.sample());
  }
  int64_t missed = 0;
  for (const v1::Outcome& outcome : white->outcomes->outcomes) {
    missed += outcome.attack().success() && !fooled.contains(outcome.sample()) ? 1 : 0;
  }
  const int64_t successes = white->report->attack().successes();
  checks.Judge(
      kNonTransferability, Share(missed, successes), {kMaxNotTransferred},
      absl::StrCat("misses ", Of(missed, successes, "example"), " of ", white->report->id()),
      "says little of this model");
}

}  // namespace

const std::vector<std::string>& CheckNames() {
  static const auto* const names = new std::vector<std::string>{
      kRandomisedModel,  kSoftmaxOutput,        kGradientAvailable,   kGradientError,
      kClassCount,       kBetterThanGuessing,   kZeroGradients,       kNonfiniteGradients,
      kSilentSuccess,    kUndecidedSamples,     kTiedLogits,          kBudget,
      kSurvivesRounding, kSquareAfterGradients, kUnconstrainedAttack, kBreakPointAngle,
      kIncreasingLoss,   kBlackBoxComparison,   kNonTransferability};
  return *names;
}

void FillChecks(const v1::Condition& condition, const ResolvedCondition& resolved,
                const v1::ModelValidation* model, v1::ConditionReport* report) {
  v1::AttackReport& attack = *report->mutable_attack();
  Checks checks(attack.mutable_checks());
  const std::string no_gradients = NoGradients(condition, attack);
  CheckModel(condition, model, no_gradients, checks);
  CheckClassCount(condition, resolved.num_classes, attack, checks);
  CheckCleanAccuracy(resolved.num_classes, *report, attack.clean_accuracy(),
                     "check labels, classes and the scale of pixels", checks);
  CheckGradients(resolved, no_gradients, IsMinimumNorm(condition), *report, checks);
  CheckSamples(resolved, *report, checks);
  CheckExamples(condition, attack, checks);
  CheckSquare(*report, no_gradients, checks);
  CheckIndicators(resolved, no_gradients, ForRandomModels(condition), IsMinimumNorm(condition),
                  checks);
}

void FillComparisons(const std::vector<const ConditionOutcomes*>& conditions, v1::Report* report) {
  std::vector<Compared> attacks;
  for (size_t i = 0; i < conditions.size(); ++i) {
    v1::ConditionReport* entry = report->mutable_conditions(static_cast<int>(i));
    if (entry->has_attack()) attacks.push_back(Compare(*conditions[i], entry));
  }
  for (const Compared& own : attacks) {
    Checks checks(own.report->mutable_attack()->mutable_checks());
    CompareWithBlackBoxes(attacks, own, checks);
    CompareTransfer(attacks, own, checks);
  }
}

}  // namespace assay::report
