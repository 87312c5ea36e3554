// The matrix of targeted attacks, counted by hand.
#include <cmath>
#include <utility>
#include <vector>

#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

// Aimed at these classes, some of which were reached; the prediction is the first of those.
v1::Outcome Aimed(int64_t sample, int label, const std::vector<std::pair<int, bool>>& targets) {
  v1::Outcome outcome = Survivor(sample, label, 2, 1);
  for (const auto& [target, reached] : targets) {
    v1::TargetOutcome& entry = *outcome.mutable_attack()->add_targets();
    entry.set_target(target);
    entry.set_success(reached);
    if (!reached) continue;
    entry.set_distance(0.01);
    if (outcome.attack().success()) continue;
    outcome.set_prediction(target);
    outcome.mutable_attack()->set_success(true);
    outcome.mutable_attack()->set_distance(0.01);
  }
  return outcome;
}

v1::TargetedReport Targeted(int num_classes, std::vector<v1::Outcome> outcomes) {
  return OnlyCondition(Input(num_classes, {Attack(std::move(outcomes))})).attack().targeted();
}

// Three samples of class 0, two of class 1, none of class 2.
std::vector<v1::Outcome> FiveSamples() {
  return {Aimed(0, 0, {{1, true}, {2, false}}), Aimed(1, 0, {{2, true}, {1, true}}),
          Aimed(2, 0, {{1, true}, {2, false}}), Aimed(3, 1, {{0, false}, {2, false}}),
          Aimed(4, 1, {{0, true}, {2, false}}), NotAttacked(5, 1, 2)};
}

TEST(TargetedReport, CountsEachTargetOfEachClass) {
  const v1::TargetedReport report = Targeted(3, FiveSamples());
  ASSERT_EQ(report.success_size(), 3);
  const std::vector<std::vector<std::pair<int, int>>> expected = {
      {{0, 0}, {3, 3}, {1, 3}}, {{1, 2}, {0, 0}, {0, 2}}, {{0, 0}, {0, 0}, {0, 0}}};
  for (int s = 0; s < 3; ++s) {
    ASSERT_EQ(report.success(s).targets_size(), 3);
    for (int t = 0; t < 3; ++t) {
      const v1::Rate& rate = report.success(s).targets(t);
      const auto [reached, aimed] = expected[static_cast<size_t>(s)][static_cast<size_t>(t)];
      EXPECT_EQ(rate.numerator(), reached) << s << " to " << t;
      EXPECT_EQ(rate.denominator(), aimed) << s << " to " << t;
      EXPECT_EQ(rate.has_value(), aimed > 0);
    }
  }
  EXPECT_EQ(report.success(1).targets(1).undefined_reason(), "the class itself is no target");
  EXPECT_EQ(report.success(2).targets(0).undefined_reason(), "no sample was aimed there");
}

// 3 of 3: the lower end of Clopper and Pearson is (0.025)^(1/3).
TEST(TargetedReport, HasExactIntervals) {
  const v1::Rate rate = Targeted(3, FiveSamples()).success(0).targets(1);
  EXPECT_NEAR(rate.lower(), std::cbrt(0.025), 1e-9);
  EXPECT_EQ(rate.upper(), 1);
}

TEST(TargetedReport, MeansGoOverTheOtherClassesThatAreThere) {
  const v1::TargetedReport report = Targeted(3, FiveSamples());
  ASSERT_EQ(report.leaving_size(), 3);
  ASSERT_EQ(report.reaching_size(), 3);
  EXPECT_DOUBLE_EQ(report.leaving(0).mean(), (1 + 1.0 / 3) / 2);
  EXPECT_DOUBLE_EQ(report.leaving(1).mean(), 0.25);
  // Without samples.
  EXPECT_EQ(report.leaving(2).index(), 2);
  EXPECT_FALSE(report.leaving(2).has_mean());
  EXPECT_DOUBLE_EQ(report.reaching(0).mean(), 0.5);
  EXPECT_DOUBLE_EQ(report.reaching(1).mean(), 1);
  EXPECT_DOUBLE_EQ(report.reaching(2).mean(), 1.0 / 6);
}

TEST(TargetedReport, IsThereForTargetedAttacksOnly) {
  const v1::ConditionReport untargeted =
      OnlyCondition(Input(2, {Attack({Survivor(0, 0, 2, 1), Fooled(1, 0, 1, 0.1)})}));
  EXPECT_FALSE(untargeted.attack().has_targeted());
}

TEST(TargetedReport, LeavesUndecidedSamplesOut) {
  std::vector<v1::Outcome> outcomes = FiveSamples();
  outcomes[2].set_undecided(true);
  outcomes[2].set_prediction(-1);
  const v1::TargetedReport report = Targeted(3, outcomes);
  EXPECT_EQ(report.success(0).targets(1).denominator(), 2);
  EXPECT_EQ(report.success(0).targets(2).denominator(), 2);
}

TEST(TargetedReport, OfVeryManyClassesHasTheMeansOnly) {
  const v1::TargetedReport report = Targeted(201, FiveSamples());
  EXPECT_EQ(report.success_size(), 0);
  EXPECT_EQ(report.leaving_size(), 201);
  EXPECT_DOUBLE_EQ(report.reaching(2).mean(), 1.0 / 6);
  EXPECT_EQ(Targeted(200, FiveSamples()).success_size(), 200);
}

TEST(TargetedReport, TargetsThatBreakTheRulesAreRefused) {
  v1::Outcome outside = Aimed(0, 0, {{3, false}});
  v1::Outcome own = Aimed(0, 0, {{0, false}});
  v1::Outcome contradictory = Aimed(0, 0, {{1, true}});
  contradictory.mutable_attack()->mutable_targets(0)->set_success(false);
  for (const v1::Outcome& outcome : {outside, own, contradictory}) {
    EXPECT_EQ(ReasonOf(BuildReport(Input(3, {Attack({outcome})})).status()), Reason::kInternal)
        << outcome.DebugString();
  }
}

}  // namespace
}  // namespace assay::report
