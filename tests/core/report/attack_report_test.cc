// What a report says of an attack, counted by hand.
#include <cmath>
#include <limits>

#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "gtest/gtest.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

// Ten samples of two classes: one wrong from the start, four fooled, five survivors.
std::vector<v1::Outcome> TenAttacked() {
  std::vector<v1::Outcome> outcomes = {NotAttacked(0, 0, 1),     Fooled(1, 0, 1, 0.01),
                                       Fooled(2, 0, 1, 0.02),    Fooled(3, 0, 2, 0.03),
                                       Survivor(4, 0, 101, 100), Fooled(5, 1, 0, 0.08),
                                       Survivor(6, 1, 101, 100), Survivor(7, 1, 101, 100),
                                       Survivor(8, 1, 101, 100), Survivor(9, 1, 201, 200)};
  outcomes[1].mutable_attack()->set_survives_rounding(true);
  outcomes[2].mutable_attack()->set_survives_rounding(true);
  outcomes[5].mutable_attack()->set_survives_rounding(true);
  outcomes[1].mutable_attack()->set_forwards(7);
  outcomes[1].mutable_attack()->set_backwards(5);
  outcomes[4].mutable_attack()->set_zero_gradients(3);
  outcomes[4].mutable_attack()->set_nonfinite_gradients(2);
  outcomes[6].mutable_attack()->set_unconfirmed_candidates(4);
  return outcomes;
}

TEST(AttackReport, CleanMistakesCountAgainstRobustAccuracy) {
  const v1::ConditionReport report = OnlyCondition(Input(3, {Attack(TenAttacked())}));
  const v1::AttackReport& attack = report.attack();
  EXPECT_EQ(attack.robust_accuracy().numerator(), 5);
  EXPECT_EQ(attack.robust_accuracy().denominator(), 10);
  EXPECT_EQ(attack.robust_accuracy().SerializeAsString(), report.accuracy().SerializeAsString());
  EXPECT_DOUBLE_EQ(attack.clean_accuracy().value(), 0.9);
  EXPECT_EQ(attack.attacked(), 9);
  EXPECT_EQ(attack.successes(), 4);
  EXPECT_DOUBLE_EQ(attack.success_rate().value(), 4.0 / 9);
}

TEST(AttackReport, SummarisesSuccessesAndTheCostOfSurvivors) {
  const v1::AttackReport attack = OnlyCondition(Input(3, {Attack(TenAttacked())})).attack();
  EXPECT_EQ(attack.survives_rounding().numerator(), 3);
  EXPECT_EQ(attack.survives_rounding().denominator(), 4);
  EXPECT_DOUBLE_EQ(attack.max_distance(), 0.08);
  EXPECT_DOUBLE_EQ(attack.mean_distance(), 0.035);
  EXPECT_DOUBLE_EQ(attack.median_distance(), 0.025);
  EXPECT_EQ(attack.forwards(), 1 + 7 + 4 * 101 + 201);
  EXPECT_EQ(attack.backwards(), 5 + 4 * 100 + 200);
  EXPECT_DOUBLE_EQ(attack.forwards_per_survivor(), (4 * 101 + 201) / 5.0);
  EXPECT_DOUBLE_EQ(attack.backwards_per_survivor(), 120);
  EXPECT_EQ(attack.zero_gradients(), 3);
  EXPECT_EQ(attack.nonfinite_gradients(), 2);
  EXPECT_EQ(attack.unconfirmed_candidates(), 4);
}

// The parts of the version that ran, in their order, and what each left robust.
TEST(AttackReport, StagesOfAutoAttackAreThoseOfItsVersion) {
  std::vector<v1::Outcome> outcomes = TenAttacked();
  outcomes[1].mutable_attack()->set_stage("square");
  outcomes[2].mutable_attack()->set_stage("fab");
  outcomes[3].mutable_attack()->set_stage("fab");
  outcomes[5].mutable_attack()->set_stage("square");
  const auto conditions =
      ParseConditions({"attack/autoattack:version=custom,parts=fab+apgd-dlr+square"});
  ASSERT_TRUE(conditions.ok()) << conditions.status();
  ConditionOutcomes autoattack = Attack(outcomes);
  autoattack.condition = conditions->at(0);
  const v1::AttackReport attack = OnlyCondition(Input(3, {autoattack})).attack();
  ASSERT_EQ(attack.stages_size(), 3);
  const std::vector<std::string> names = {"fab", "apgd-dlr", "square"};
  const std::vector<int64_t> successes = {2, 0, 2}, robust = {7, 7, 5};
  for (int i = 0; i < 3; ++i) {
    const auto k = static_cast<size_t>(i);
    EXPECT_EQ(attack.stages(i).name(), names[k]);
    EXPECT_EQ(attack.stages(i).successes(), successes[k]);
    EXPECT_EQ(attack.stages(i).robust_accuracy().numerator(), robust[k]);
    EXPECT_EQ(attack.stages(i).robust_accuracy().denominator(), 10);
  }
}

TEST(AttackReport, SplitsSuccessesBySourceAndTarget) {
  const v1::ConditionReport report = OnlyCondition(Input(3, {Attack(TenAttacked())}));
  const v1::ClassAttackReport& first = report.classes(0).attack();
  EXPECT_EQ(first.attacked(), 4);
  EXPECT_EQ(first.successes(), 3);
  EXPECT_DOUBLE_EQ(first.success_rate().value(), 0.75);
  EXPECT_EQ(first.adversarial_false_positives(), 1);
  // The clean mistake into class 1 is a false positive, but no adversarial one.
  EXPECT_EQ(report.classes(1).attack().adversarial_false_positives(), 2);
  EXPECT_EQ(report.classes(1).false_positives(), 3);
  EXPECT_EQ(report.classes(2).attack().adversarial_false_positives(), 1);
  EXPECT_EQ(report.classes(2).attack().attacked(), 0);
  EXPECT_EQ(report.classes(2).attack().success_rate().undefined_reason(), "no sample was attacked");
}

TEST(AttackReport, AnAttackThatEndsUndecidedIsNeitherSuccessNorSurvivor) {
  v1::Outcome undecided = Undecided(1, 0);
  undecided.mutable_attack()->set_attacked(true);
  undecided.mutable_attack()->set_clean_prediction(0);
  undecided.mutable_attack()->set_forwards(1000);
  const v1::ConditionReport report =
      OnlyCondition(Input(2, {Attack({Survivor(0, 0, 11, 10), undecided})}));
  EXPECT_EQ(report.correct(), 1);
  EXPECT_EQ(report.undecided(), 1);
  EXPECT_EQ(report.attack().attacked(), 2);
  EXPECT_EQ(report.attack().successes(), 0);
  EXPECT_DOUBLE_EQ(report.attack().clean_accuracy().value(), 1);
  EXPECT_DOUBLE_EQ(report.attack().forwards_per_survivor(), 11);
}

TEST(AttackReport, ASuccessByATieCountsAsFooledButTargetsNoClass) {
  v1::Outcome tied = Fooled(0, 0, 0, 0.01);
  tied.set_tie(true);
  const v1::ConditionReport report = OnlyCondition(Input(2, {Attack({tied})}));
  EXPECT_EQ(report.correct(), 0);
  EXPECT_EQ(report.ties(), 1);
  EXPECT_EQ(report.attack().successes(), 1);
  EXPECT_EQ(report.classes(0).attack().adversarial_false_positives(), 0);
}

TEST(AttackReport, WithoutSuccessesDistancesAreZeroAndRatesSayWhy) {
  const v1::AttackReport attack =
      OnlyCondition(Input(2, {Attack({NotAttacked(0, 0, 1)})})).attack();
  EXPECT_EQ(attack.success_rate().undefined_reason(), "no sample was attacked");
  EXPECT_EQ(attack.survives_rounding().undefined_reason(), "no attack succeeded");
  EXPECT_EQ(attack.max_distance(), 0);
  EXPECT_EQ(attack.forwards_per_survivor(), 0);
}

TEST(AttackReport, OnlyAttacksHaveOne) {
  const v1::ConditionReport report = OnlyCondition(Input(2, {Clean({Predicted(0, 0, 0)})}));
  EXPECT_FALSE(report.has_attack());
  EXPECT_FALSE(report.classes(0).has_attack());
  EXPECT_FALSE(report.has_certification());
}

TEST(AttackReport, RefusesOutcomesThatContradictThemselves) {
  const auto reason = [](const v1::Outcome& outcome) {
    return ReasonOf(BuildReport(Input(2, {Attack({outcome})})).status());
  };
  v1::Outcome unattacked_success = NotAttacked(0, 0, 1);
  unattacked_success.mutable_attack()->set_success(true);
  EXPECT_EQ(reason(unattacked_success), Reason::kInternal);

  v1::Outcome attacked_though_wrong = Fooled(0, 0, 1, 0.1);
  attacked_though_wrong.mutable_attack()->set_clean_prediction(1);
  EXPECT_EQ(reason(attacked_though_wrong), Reason::kInternal);

  v1::Outcome robust_unattacked = Survivor(0, 0, 1, 0);
  robust_unattacked.mutable_attack()->set_attacked(false);
  EXPECT_EQ(reason(robust_unattacked), Reason::kInternal);

  EXPECT_EQ(reason(Fooled(0, 0, 0, 0.1)), Reason::kInternal);

  v1::Outcome wrong_without_success = Survivor(0, 0, 1, 0);
  wrong_without_success.set_prediction(1);
  EXPECT_EQ(reason(wrong_without_success), Reason::kInternal);

  EXPECT_EQ(reason(Fooled(0, 0, 1, std::numeric_limits<double>::quiet_NaN())), Reason::kInternal);
  EXPECT_EQ(reason(Fooled(0, 0, 1, -1)), Reason::kInternal);
  EXPECT_EQ(reason(Survivor(0, 0, -1, 0)), Reason::kInternal);
  EXPECT_EQ(reason(Predicted(0, 0, 0)), Reason::kInternal);
  EXPECT_EQ(reason(Survivor(0, 0, 1, 0)), std::nullopt);
}

}  // namespace
}  // namespace assay::report
