#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/conditions/params.h"
#include "core/report/sections.h"

namespace assay::report {

google::protobuf::RepeatedPtrField<v1::SecurityPoint> SecurityCurve(const ResolvedCondition& run,
                                                                    RateMaker& rates) {
  constexpr size_t kMaxPoints = 101;
  google::protobuf::RepeatedPtrField<v1::SecurityPoint> curve;
  if (run.samples.empty()) return curve;
  std::vector<double> distances;
  int64_t right = 0;  // before the attack, and not undecided in it
  for (const ResolvedSample& sample : run.samples) {
    const v1::AttackOutcome& attack = sample.outcome->attack();
    if (!attack.attacked() || sample.undecided) continue;
    ++right;
    if (attack.success()) distances.push_back(attack.distance());
  }
  std::sort(distances.begin(), distances.end());
  std::vector<double> changes = {0};
  for (const double distance : distances) {
    if (distance > changes.back()) changes.push_back(distance);
  }
  const size_t points = std::min(changes.size(), kMaxPoints);
  for (size_t i = 0; i < points; ++i) {
    const double eps = changes[points == 1 ? 0 : i * (changes.size() - 1) / (points - 1)];
    const auto broken = std::upper_bound(distances.begin(), distances.end(), eps);
    v1::SecurityPoint& point = *curve.Add();
    point.set_eps(eps);
    *point.mutable_robust_accuracy() =
        rates.Make(right - (broken - distances.begin()), static_cast<int64_t>(run.samples.size()),
                   "no samples");
  }
  return curve;
}

ConditionOutcomes AtBudget(const ConditionOutcomes& run, v1::Condition condition) {
  const double eps = Params(condition).Number("eps");
  ConditionOutcomes result{std::move(condition), run.outcomes};
  for (v1::Outcome& outcome : result.outcomes) {
    v1::AttackOutcome& attack = *outcome.mutable_attack();
    if (!attack.success() || attack.distance() <= eps) continue;
    outcome.set_prediction(attack.clean_prediction());
    outcome.clear_confidence();
    outcome.clear_tie();
    attack.clear_success();
    attack.clear_distance();
    attack.clear_survives_rounding();
    attack.clear_stage();
  }
  return result;
}

ResolvedCondition AtBudget(ResolvedCondition run, const v1::Condition& condition) {
  const double eps = Params(condition).Number("eps");
  for (ResolvedSample& sample : run.samples) {
    const v1::AttackOutcome& attack = sample.outcome->attack();
    if (sample.undecided || !attack.success() || attack.distance() <= eps) continue;
    sample.column = attack.clean_prediction();
    sample.tie = false;
    sample.correct = sample.column == sample.label();
  }
  return run;
}

}  // namespace assay::report
