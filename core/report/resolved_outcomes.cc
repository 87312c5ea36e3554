#include "core/report/resolved_outcomes.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/errors.h"

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

}  // namespace

absl::StatusOr<ResolvedCondition> Resolve(const ConditionOutcomes& condition, int num_classes,
                                          const CertificationOptions& options) {
  ResolvedCondition resolved;
  resolved.num_classes = num_classes;
  resolved.is_attack = condition.condition.family() == "attack";
  if (condition.condition.family() == "smoothing") {
    ASSAY_ASSIGN_OR_RETURN(resolved.smoothing, SmoothingParameters(condition.condition, options));
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
    if (resolved.is_attack) {
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
