#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/conditions/condition.h"
#include "core/report/sections.h"
#include "core/statistics/statistics.h"

namespace assay::report {
namespace {

double MeanCost(int64_t passes, int64_t survivors) {
  return survivors == 0 ? 0 : static_cast<double>(passes) / static_cast<double>(survivors);
}

// Cumulative robust accuracy of an attack made of several: what is robust in the end, and what
// later parts broke.
void FillStages(const v1::Condition& condition, const std::map<std::string, int64_t>& successes,
                RateMaker& rates, const v1::ConditionReport& report, v1::AttackReport* total) {
  int64_t robust = report.correct();
  for (const auto& [stage, count] : successes) robust += count;
  for (const v1::Condition& part : Stages(condition)) {
    const std::string& name = part.method();
    const auto found = successes.find(name);
    const int64_t count = found == successes.end() ? 0 : found->second;
    robust -= count;
    v1::AttackStage* stage = total->add_stages();
    stage->set_name(name);
    stage->set_successes(count);
    *stage->mutable_robust_accuracy() = rates.Make(robust, report.samples(), "no samples");
  }
}

}  // namespace

absl::Status FillAttack(const SectionInput& input, v1::ConditionReport* report) {
  RateMaker& rates = input.rates;
  // Attack parts are made first, so that classes without a sample have one too.
  for (v1::ClassReport& c : *report->mutable_classes()) c.mutable_attack();
  v1::AttackReport& total = *report->mutable_attack();
  std::vector<double> distances;
  std::map<std::string, int64_t> stages;
  int64_t surviving_rounding = 0;
  int64_t survivor_forwards = 0, survivor_backwards = 0;
  int64_t forwards = 0, backwards = 0;
  int64_t attacked = 0;
  int64_t zero_gradients = 0, nonfinite_gradients = 0, unconfirmed = 0;

  for (const ResolvedSample& sample : input.resolved.samples) {
    const v1::AttackOutcome& attack = sample.outcome->attack();
    v1::ClassAttackReport& own = *report->mutable_classes(sample.label())->mutable_attack();
    forwards += attack.forwards();
    backwards += attack.backwards();
    zero_gradients += attack.zero_gradients();
    nonfinite_gradients += attack.nonfinite_gradients();
    unconfirmed += attack.unconfirmed_candidates();
    if (!attack.attacked()) continue;
    ++attacked;
    own.set_attacked(own.attacked() + 1);
    if (sample.correct) {
      survivor_forwards += attack.forwards();
      survivor_backwards += attack.backwards();
    }
    // Neither fooled nor a survivor: the attack ran into logits that are not finite.
    if (!attack.success()) continue;
    own.set_successes(own.successes() + 1);
    distances.push_back(attack.distance());
    if (!attack.stage().empty()) ++stages[attack.stage()];
    surviving_rounding += attack.survives_rounding() ? 1 : 0;
    if (sample.column == ResolvedSample::kNoColumn) continue;
    v1::ClassAttackReport& target = *report->mutable_classes(sample.column)->mutable_attack();
    target.set_adversarial_false_positives(target.adversarial_false_positives() + 1);
  }

  const int64_t successes = static_cast<int64_t>(distances.size());
  constexpr char kNoneAttacked[] = "no sample was attacked";
  *total.mutable_robust_accuracy() = report->accuracy();
  *total.mutable_clean_accuracy() = rates.Make(attacked, report->samples(), "no samples");
  *total.mutable_success_rate() = rates.Make(successes, attacked, kNoneAttacked);
  total.set_attacked(attacked);
  total.set_successes(successes);
  *total.mutable_survives_rounding() =
      rates.Make(surviving_rounding, successes, "no attack succeeded");
  if (!distances.empty()) {
    total.set_max_distance(*std::max_element(distances.begin(), distances.end()));
    total.set_mean_distance(Mean(distances));
    total.set_median_distance(Median(distances));
  }
  total.set_forwards(forwards);
  total.set_backwards(backwards);
  total.set_forwards_per_survivor(MeanCost(survivor_forwards, report->correct()));
  total.set_backwards_per_survivor(MeanCost(survivor_backwards, report->correct()));
  total.set_zero_gradients(zero_gradients);
  total.set_nonfinite_gradients(nonfinite_gradients);
  total.set_unconfirmed_candidates(unconfirmed);
  FillTargeted(input.resolved, rates, &total);
  FillStages(input.condition, stages, rates, *report, &total);
  for (v1::ClassReport& c : *report->mutable_classes()) {
    v1::ClassAttackReport& own = *c.mutable_attack();
    *own.mutable_success_rate() = rates.Make(own.successes(), own.attacked(), kNoneAttacked);
  }
  return absl::OkStatus();
}

}  // namespace assay::report
