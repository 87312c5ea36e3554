// The checks of attacks: what is counted of an attack, how each check is measured, and the table.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/probe_order.h"
#include "core/base/rational.h"
#include "core/conditions/condition.h"
#include "core/report/checks.h"

namespace assay::report {
namespace {

const std::string* Parameter(const v1::Condition& condition, const std::string& name) {
  const auto found = condition.parameters().find(name);
  return found == condition.parameters().end() ? nullptr : &found->second;
}

// Whether the attack wants one class rather than any mistake.
bool WantsOneClass(const v1::Condition& condition) {
  const std::string* target = Parameter(condition, "target");
  return target != nullptr && *target != "none" && *target != "every";
}

// --- facts

void CountGradients(const ResolvedCondition& resolved, Facts& facts) {
  const size_t classes = static_cast<size_t>(resolved.num_classes);
  std::vector<int64_t> passes(classes), zeros(classes);
  for (const ResolvedSample& sample : resolved.samples) {
    const v1::AttackOutcome& attack = sample.outcome->attack();
    passes[static_cast<size_t>(sample.label())] += attack.backwards();
    zeros[static_cast<size_t>(sample.label())] += attack.zero_gradients();
  }
  for (size_t c = 0; c < classes; ++c) {
    if (passes[c] == 0 || Share(zeros[c], passes[c]) <= facts.zero_gradients) continue;
    facts.zero_gradients = Share(zeros[c], passes[c]);
    facts.zero_gradients_class = static_cast<int>(c);
  }
}

// Of those that were tried without a budget the first kMaxProbes: more were tried if the samples
// were in several tasks.
void CountUnconstrained(const ResolvedCondition& resolved, Facts& facts) {
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
  facts.tried = static_cast<int64_t>(outcomes.size());
  for (const v1::Outcome* outcome : outcomes) {
    const auto what = outcome->attack().unconstrained();
    facts.fell_from_image += what == v1::AttackOutcome::FOOLED ? 1 : 0;
    facts.fell_from_elsewhere += what == v1::AttackOutcome::FOOLED_FROM_ELSEWHERE ? 1 : 0;
  }
}

void CountSurvivors(const ResolvedCondition& resolved, Facts& facts) {
  double angles = 0, increases = 0;
  for (const ResolvedSample& sample : resolved.samples) {
    if (!sample.correct) continue;
    const v1::AttackOutcome& attack = sample.outcome->attack();
    ++facts.survivors;
    facts.silent += attack.unconfirmed_candidates() > 0 ? 1 : 0;
    if (!attack.has_break_point_angle() || !attack.has_increasing_loss()) continue;
    ++facts.curves;
    angles += attack.break_point_angle();
    increases += attack.increasing_loss();
  }
  if (facts.curves == 0) return;
  facts.break_point_angle = angles / static_cast<double>(facts.curves);
  facts.increasing_loss = increases / static_cast<double>(facts.curves);
}

// --- the model

Finding RandomisedModel(const Facts& facts) {
  if (facts.averages) return NotApplicable("this attack averages over random passes");
  const bool differ = !facts.evaluation->validation->deterministic();
  return {differ ? 1.0 : 0.0,
          absl::StrCat("passes of the same images ", differ ? "differ" : "agree")};
}

Finding SoftmaxOutput(const Facts& facts) {
  const bool softmax = facts.evaluation->validation->softmax_output();
  return {softmax ? 1.0 : 0.0, absl::StrCat("outputs are ", softmax ? "" : "no ", "probabilities")};
}

Finding GradientAvailable(const Facts& facts) {
  if (facts.evaluation->validation->differentiable()) return {0, "random images have a gradient"};
  return {1, "random images have no finite gradient"};
}

Finding GradientError(const Facts& facts) {
  const v1::ModelValidation& model = *facts.evaluation->validation;
  if (!model.has_gradient_relative_error()) {
    return NotApplicable("random images have no finite gradient");
  }
  const double error = model.gradient_relative_error();
  return {error, absl::StrCat("gradients are off finite differences by ", Percent(error))};
}

// --- the run

Finding ClassCount(const Facts& facts) {
  const int needed = ClassesNeeded(*facts.run);
  if (needed == 0) return NotApplicable("no loss of this attack needs several classes");
  const int classes = facts.evaluation->num_classes;
  Finding finding{static_cast<double>(classes), absl::StrCat(classes, " classes")};
  finding.limit = AtLeast(needed);
  finding.remedy =
      absl::StrCat("the ratio of logits needs ", needed, ", so a simpler loss was used");
  return finding;
}

Finding ZeroGradients(const Facts& facts) {
  const double worst = facts.zero_gradients;
  if (worst == 0) return {0, "every gradient had a direction"};
  return {worst,
          absl::StrCat(Percent(worst), " of the gradients of ",
                       facts.report->classes(facts.zero_gradients_class).name(), " were zero")};
}

Finding NonfiniteGradients(const Facts& facts) {
  const v1::AttackReport& attack = facts.report->attack();
  return {Share(attack.nonfinite_gradients(), attack.backwards()),
          Of(attack.nonfinite_gradients(), attack.backwards(), "gradient") + " not finite"};
}

Finding SilentSuccess(const Facts& facts) {
  if (facts.minimum_norm) return NotApplicable("minimum-norm attacks end on the boundary itself");
  if (facts.survivors == 0) return NotApplicable("no sample stayed robust");
  return {Share(facts.silent, facts.survivors),
          Of(facts.silent, facts.survivors, "survivor") + " were fooled in a gradient pass only"};
}

Finding UndecidedSamples(const Facts& facts) {
  const int64_t attacked = facts.report->attack().attacked();
  if (attacked == 0) return NotApplicable("no sample was attacked");
  return {Share(facts.undecided, attacked),
          Of(facts.undecided, attacked, "attacked sample") + " became not finite"};
}

Finding TiedLogits(const Facts& facts) {
  const int64_t ties = facts.report->ties(), samples = facts.report->samples();
  if (samples == 0) return NotApplicable("no samples");
  return {Share(ties, samples), Of(ties, samples, "sample") + " have a tied largest logit"};
}

Finding Budget(const Facts& facts) {
  const v1::AttackReport& attack = facts.report->attack();
  if (attack.successes() == 0) return NotApplicable("no attack succeeded");
  const std::string* eps = Parameter(*facts.run, "eps");
  const auto budget =
      eps == nullptr ? absl::StatusOr<Rational>(absl::NotFoundError("")) : Rational::Parse(*eps);
  if (facts.minimum_norm || !budget.ok() || Parameter(*facts.run, "norm") == nullptr) {
    return NotApplicable("this attack has no budget that is a distance");
  }
  Finding finding{attack.max_distance(), absl::StrFormat("the farthest example is at %.6g of %s",
                                                         attack.max_distance(), *eps)};
  // As the engine allows for rounding.
  const double allowed = budget->ToDouble() * (1 + 1e-6);
  finding.limit = AtMost(allowed, allowed);
  return finding;
}

Finding SurvivesRounding(const Facts& facts) {
  const v1::AttackReport& attack = facts.report->attack();
  if (attack.successes() == 0) return NotApplicable("no attack succeeded");
  if (facts.minimum_norm) return NotApplicable("minimum-norm attacks end on the boundary itself");
  const double share = attack.survives_rounding().value();
  return {share, absl::StrCat(Percent(share), " of the examples survive rounding to 8 bits")};
}

Finding SquareAfterGradients(const Facts& facts) {
  const v1::ConditionReport& report = *facts.report;
  const std::vector<v1::Condition> stages = Stages(*facts.run);
  const auto black_box = std::find_if(stages.begin(), stages.end(), IsBlackBox);
  if (black_box == stages.end() || !facts.no_gradients.empty()) {
    return NotApplicable("no Square after gradient attacks");
  }
  const int64_t fell =
      report.attack().stages(static_cast<int>(black_box - stages.begin())).successes();
  return {Share(fell, report.samples()),
          Of(fell, report.samples(), "sample") + " fell to Square only"};
}

// --- indicators of attack failure

Finding UnconstrainedAttack(const Facts& facts) {
  if (facts.tried == 0) {
    return NotApplicable("none of the samples that are tried stayed robust");
  }
  const int64_t fell_in_all = facts.fell_from_image + facts.fell_from_elsewhere;
  const std::string fell = Of(fell_in_all, facts.tried, "survivor");
  Finding finding;
  if (facts.minimum_norm && fell_in_all > 0) {
    // A survivor of such an attack is said to have no adversarial example at all.
    finding.value = Share(fell_in_all, facts.tried);
    finding.seen = fell + " at any budget fell to APGD from several starts";
    finding.limit = AtMost(0, 0);
    finding.remedy = "it missed them: use another";
  } else {
    finding.value = Share(facts.tried - facts.fell_from_image, facts.tried);
    finding.seen =
        absl::StrCat(fell, " fell without a budget, ", facts.fell_from_image, " from the image");
    finding.limit = AtMost(0, 1.0 / facts.evaluation->num_classes);
  }
  return finding;
}

Finding MeanOfCurves(const Facts& facts, double mean) {
  if (facts.averages) return NotApplicable("the losses are random");
  if (facts.curves == 0) return NotApplicable("no survivor has losses that say anything");
  return {mean, absl::StrFormat("%.2f, mean of %d survivors", mean, facts.curves)};
}

Finding BreakPointAngle(const Facts& facts) { return MeanOfCurves(facts, facts.break_point_angle); }

Finding IncreasingLoss(const Facts& facts) { return MeanOfCurves(facts, facts.increasing_loss); }

// --- comparisons

double Robust(const Facts& facts) { return facts.report->attack().robust_accuracy().value(); }

bool SameBudget(const Facts& one, const Facts& other) {
  const auto same = [&](const char* name) {
    return *Parameter(*one.run, name) == *Parameter(*other.run, name);
  };
  return one.comparable && other.comparable && same("norm") && same("eps") &&
         one.report->samples() == other.report->samples();
}

// The strongest other attack of the same budget that is a white box, or that is none; nullptr
// without.
const Facts* Strongest(const Facts& own, bool white_box) {
  const Facts* best = nullptr;
  for (const Facts& other : *own.attacks) {
    if (other.run == own.run || other.no_gradients.empty() != white_box) continue;
    if (!SameBudget(own, other)) continue;
    if (best == nullptr || Robust(other) < Robust(*best)) best = &other;
  }
  return best;
}

Finding BlackBoxComparison(const Facts& facts) {
  const Facts* other = Strongest(facts, /*white_box=*/false);
  if (other == nullptr) return NotApplicable("no complete black-box attack of the same budget");
  return {Robust(facts) - Robust(*other),
          absl::StrCat(other->report->id(), " leaves ", Percent(Robust(*other)), " robust, this ",
                       Percent(Robust(facts)))};
}

// Of the samples that the strongest white-box attack fools, those that the transfer does not.
Finding NonTransferability(const Facts& facts) {
  if (!facts.transfer) return NotApplicable("no transfer attack");
  const Facts* white = Strongest(facts, /*white_box=*/true);
  if (white == nullptr || white->report->attack().successes() == 0) {
    return NotApplicable("no complete white-box attack of the same budget fools anything");
  }
  std::vector<int64_t> missed_samples;
  std::set_difference(white->fooled.begin(), white->fooled.end(), facts.fooled.begin(),
                      facts.fooled.end(), std::back_inserter(missed_samples));
  const auto missed = static_cast<int64_t>(missed_samples.size());
  const int64_t successes = white->report->attack().successes();
  return {Share(missed, successes),
          absl::StrCat("misses ", Of(missed, successes, "example"), " of ", white->report->id())};
}

}  // namespace

Facts AttackFacts(const ReportInput& evaluation, const v1::Condition& condition,
                  const ResolvedCondition& resolved, const v1::ConditionReport& report,
                  const std::vector<Facts>& attacks) {
  const v1::AttackReport& attack = report.attack();
  Facts facts{&evaluation, &report};
  facts.run = &condition;
  facts.attacks = &attacks;
  facts.minimum_norm = IsMinimumNorm(condition);
  facts.averages = AveragesPasses(condition);
  facts.transfer = !OtherModels(condition).empty();
  if (attack.attacked() == 0) {
    facts.no_gradients = "no sample was attacked";
  } else if (facts.transfer) {
    facts.no_gradients = "the gradients are those of other models";
  } else if (attack.backwards() == 0) {
    facts.no_gradients = "this attack uses no gradient";
  }
  facts.comparable = report.missing() == 0 && attack.attacked() > 0 &&
                     Parameter(condition, "norm") != nullptr &&
                     Parameter(condition, "eps") != nullptr && !WantsOneClass(condition) &&
                     !NeedsWholeDataset(condition);
  facts.undecided = std::count_if(resolved.samples.begin(), resolved.samples.end(),
                                  [](const ResolvedSample& sample) {
                                    return sample.undecided && sample.outcome->attack().attacked();
                                  });
  if (facts.comparable) {
    for (const ResolvedSample& sample : resolved.samples) {
      if (sample.outcome->attack().success()) facts.fooled.push_back(sample.outcome->sample());
    }
  }
  CountGradients(resolved, facts);
  CountSurvivors(resolved, facts);
  CountUnconstrained(resolved, facts);
  return facts;
}

const std::vector<CheckRow>& AttackChecks() {
  static const auto* const rows = new std::vector<CheckRow>{
      // The model.
      {"randomised-model", kModel, kFaultFails, "attack it with eot above 1 or version=rand",
       RandomisedModel},
      {"softmax-output", kModel, kFaultWarns, "export the model without its softmax",
       SoftmaxOutput},
      {"gradient-available", kModel | kGradients, kFaultFails,
       "replace rounding, or use a black-box attack", GradientAvailable},
      {"gradient-error", kModel | kGradients, AtMost(0.05), "look for rounding and detached parts",
       GradientError},
      // The run.
      {"class-count", kNothing, std::nullopt, "", ClassCount},
      {"better-than-guessing", kNothing, std::nullopt,
       "check labels, classes and the scale of pixels", BetterThanGuessing},
      {"zero-gradients", kGradients, AtMost(0.01, 0.5), "use another loss or a black-box attack",
       ZeroGradients},
      {"nonfinite-gradients", kGradients, AtMost(0),
       "look for divisions, roots and logarithms of 0", NonfiniteGradients},
      {"silent-success", kGradients, AtMost(0.01, 0.1), "is the model random, or does it adapt?",
       SilentSuccess},
      {"undecided-samples", kNothing, AtMost(0, 0.5), "they count as not robust; mend the model",
       UndecidedSamples},
      {"tied-logits", kNothing, AtMost(0), "they count as wrong; does the model round?",
       TiedLogits},
      {"budget", kNothing, std::nullopt, "report this as a fault of Assay", Budget},
      {"survives-rounding", kNothing, AtLeast(0.9), "stored as images, the others do no harm",
       SurvivesRounding},
      {"square-after-gradients", kNothing, AtMost(0.002), "gradients mislead; use more of Square",
       SquareAfterGradients},
      // Indicators of attack failure.
      {"unconstrained-attack", kGradients, AtMost(0), "its gradients do not lead anywhere",
       UnconstrainedAttack},
      {"break-point-angle", kGradients, AtMost(0.5),
       "the loss still falls: more steps, or larger ones", BreakPointAngle},
      {"increasing-loss", kGradients, AtMost(0.2), "the loss jumps: smaller steps, or another loss",
       IncreasingLoss},
      // Comparisons with the other attacks.
      {"black-box-comparison", kGradients, AtMost(0.002), "quote the lower", BlackBoxComparison},
      {"non-transferability", kNothing, AtMost(0.5), "says little of this model",
       NonTransferability},
  };
  return *rows;
}

}  // namespace assay::report
