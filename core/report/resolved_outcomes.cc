#include "core/report/resolved_outcomes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/conditions/smoothing_setting.h"

namespace assay::report {
namespace {

absl::Status Broken(const v1::Condition& condition, const v1::Outcome& outcome,
                    absl::string_view what) {
  return Error(Reason::kInternal, absl::StrCat("outcome of sample ", outcome.sample(), " under '",
                                               condition.id(), "': ", what));
}

bool AnyNegative(const v1::AttackOutcome& attack) {
  return attack.forwards() < 0 || attack.backwards() < 0 || attack.zero_gradients() < 0 ||
         attack.nonfinite_gradients() < 0 || attack.unconfirmed_candidates() < 0;
}

// What is wrong with an outcome of an attack, or "". `attacked` and "was right before the attack"
// are the same thing, so that a sample that nobody attacked can never count as robust.
absl::string_view AttackViolation(const ResolvedSample& sample) {
  const v1::AttackOutcome& attack = sample.outcome->attack();
  if (attack.success() && !attack.attacked()) return "success without an attack";
  if (attack.attacked() && attack.clean_prediction() != sample.label()) {
    return "attacked although the clean image was wrong";
  }
  if (sample.correct && !attack.attacked()) return "robust without having been attacked";
  if (sample.correct && attack.success()) return "fooled, but predicted as its label";
  const bool wrong_class = sample.column != ResolvedSample::kNoColumn && !sample.correct;
  if (wrong_class && attack.attacked() && !attack.success()) return "wrong without a success";
  if (!std::isfinite(attack.distance()) || attack.distance() < 0) {
    return "distance is not a number of at least 0";
  }
  if (AnyNegative(attack)) return "a count is negative";
  return "";
}

// The same for its targets.
absl::string_view TargetViolation(const v1::Outcome& outcome, int num_classes) {
  const v1::AttackOutcome& attack = outcome.attack();
  bool any_success = false;
  for (const v1::TargetOutcome& target : attack.targets()) {
    if (target.target() < 0 || target.target() >= num_classes) return "a target is no class";
    if (target.target() == outcome.label()) return "its label is a target";
    any_success |= target.success();
  }
  if (attack.targets_size() > 0 && any_success != attack.success()) {
    return "its targets tell another outcome";
  }
  return "";
}

// --- smoothing

// The condition's own setting, and what the report asks for instead.
absl::StatusOr<SmoothingSetting> SettingOf(const v1::Condition& condition,
                                           const ReportInput& input) {
  ASSAY_ASSIGN_OR_RETURN(SmoothingSetting setting, ParseSmoothingSetting(condition));
  // Certificates that share their alpha share it among all samples that there could have been.
  setting.samples = std::max<int64_t>({1, input.expected_samples, input.samples_allowed});
  const v1::ImageShape& shape = input.shape;
  setting.dimension = int64_t{shape.channels()} * shape.height() * shape.width();
  if (input.alpha == 0 && input.n == 0) return setting;
  std::vector<FieldViolation> violations;
  // The negation also refuses NaN.
  const double largest_alpha = setting.mode == SmoothingMode::kAnytime ? 0.5 : 1;
  if (input.alpha != 0 && !(input.alpha > 0 && input.alpha < largest_alpha)) {
    violations.push_back({"alpha", absl::StrCat(input.alpha, " is not between 0 and ",
                                                largest_alpha, " (usual: 0.001)")});
  }
  if (input.n < 0 || input.n > setting.n) {
    violations.push_back(
        {"n", absl::StrCat(input.n, " is not between 1 and the ", setting.n, " draws of '",
                           condition.id(),
                           "'; curve_with_tenfold_n tells how more draws would move the curve")});
  }
  if (!violations.empty()) return InvalidFields(std::move(violations));
  if (input.alpha != 0) setting.alpha = input.alpha;
  setting.as_if_n = input.n;
  const int64_t n = input.n != 0 ? input.n : setting.n;
  const int64_t smallest = SmallestUsefulN(setting);
  if (n < smallest) {
    return InvalidFields(
        {{input.n != 0 ? "n" : "alpha",
          absl::StrCat("n=", n, " can only abstain at alpha=", setting.sample_alpha(), " in '",
                       condition.id(), "'; the smallest n that can certify is ", smallest)}});
  }
  return setting;
}

absl::Status CheckHistogram(const google::protobuf::RepeatedPtrField<v1::ClassCount>& histogram,
                            int64_t draws, int num_classes) {
  absl::flat_hash_set<int32_t> seen;
  int64_t rest = draws;
  for (const v1::ClassCount& entry : histogram) {
    if (entry.index() < 0 || entry.index() >= num_classes) {
      return Error(Reason::kInternal, absl::StrCat("a smoothing count names class ", entry.index(),
                                                   " of ", num_classes));
    }
    if (!seen.insert(entry.index()).second) {
      return Error(Reason::kInternal,
                   absl::StrCat("a smoothing histogram has class ", entry.index(), " twice"));
    }
    if (entry.count() < 0 || entry.count() > rest) {
      return Error(Reason::kInternal,
                   absl::StrCat("smoothing counts do not fit ", draws, " draws"));
    }
    rest -= entry.count();
  }
  return absl::OkStatus();
}

// kInternal for counts that n0 and n draws over `num_classes` classes cannot give.
absl::Status CheckCounts(const v1::SmoothingOutcome& outcome, const SmoothingSetting& setting,
                         int num_classes) {
  ASSAY_RETURN_IF_ERROR(CheckHistogram(outcome.selection(), setting.n0, num_classes));
  ASSAY_RETURN_IF_ERROR(CheckHistogram(outcome.estimation(), setting.n, num_classes));
  if (outcome.undecided_draws() < 0 || outcome.tied_draws() < 0) {
    return Error(Reason::kInternal, "a smoothing outcome has a negative number of draws");
  }
  if (setting.mode == SmoothingMode::kAnytime) {
    const int64_t draws = EstimationDraws(outcome, setting);
    if (draws > setting.n) {
      return Error(Reason::kInternal,
                   absl::StrCat("an outcome of at most ", setting.n, " draws has ", draws));
    }
    if (outcome.best_count() < 0 || outcome.best_count() > outcome.best_draws() ||
        outcome.best_draws() > draws) {
      return Error(Reason::kInternal,
                   absl::StrCat("the best moment of a smoothing outcome has ", outcome.best_count(),
                                " of ", outcome.best_draws(), " draws"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ResolvedCondition> Resolve(const ConditionOutcomes& condition,
                                          const ReportInput& input) {
  const int num_classes = input.num_classes;
  const bool is_attack = condition.condition.family() == kFamilyAttack;
  ResolvedCondition resolved;
  resolved.num_classes = num_classes;
  if (condition.condition.family() == kFamilySmoothing) {
    ASSAY_ASSIGN_OR_RETURN(resolved.smoothing, SettingOf(condition.condition, input));
  }
  resolved.samples.reserve(condition.outcomes.size());
  for (const v1::Outcome& outcome : condition.outcomes) {
    const auto broken = [&](absl::string_view what) {
      return Broken(condition.condition, outcome, what);
    };
    if (outcome.sample() < 0) return broken("the sample is negative");
    if (outcome.label() < 0 || outcome.label() >= num_classes) {
      return broken(absl::StrCat("label ", outcome.label(), " of ", num_classes, " classes"));
    }
    ResolvedSample sample;
    sample.outcome = &outcome;
    sample.undecided = outcome.undecided();
    sample.tie = outcome.tie() && !outcome.undecided();
    int32_t column = outcome.prediction();
    if (resolved.smoothing.has_value()) {
      if (!outcome.has_smoothing() && !sample.undecided) return broken("it has no counts");
      const absl::Status counts =
          CheckCounts(outcome.smoothing(), *resolved.smoothing, num_classes);
      if (!counts.ok()) return broken(counts.message());
      sample.certificate = Certify(outcome.smoothing(), *resolved.smoothing);
      column = sample.certificate.prediction < 0 ? num_classes : sample.certificate.prediction;
    } else if (!sample.undecided && (column < 0 || column >= num_classes)) {
      return broken(absl::StrCat("prediction ", column, " of ", num_classes, " classes"));
    }
    if (!sample.undecided && !sample.tie) {
      sample.column = column;
      sample.correct = column == outcome.label();
    }
    if (is_attack) {
      if (!outcome.has_attack() && !sample.undecided) return broken("it has no attack record");
      for (const absl::string_view violation :
           {AttackViolation(sample), TargetViolation(outcome, num_classes)}) {
        if (!violation.empty()) return broken(violation);
      }
    }
    resolved.samples.push_back(sample);
  }
  // Sums of doubles depend on their order, and a report must not depend on the order in which
  // outcomes arrived.
  std::sort(resolved.samples.begin(), resolved.samples.end(),
            [](const ResolvedSample& a, const ResolvedSample& b) {
              return a.outcome->sample() < b.outcome->sample();
            });
  const auto twice = std::adjacent_find(resolved.samples.begin(), resolved.samples.end(),
                                        [](const ResolvedSample& a, const ResolvedSample& b) {
                                          return a.outcome->sample() == b.outcome->sample();
                                        });
  if (twice != resolved.samples.end()) {
    return Broken(condition.condition, *twice->outcome, "it is there twice");
  }
  return resolved;
}

}  // namespace assay::report
