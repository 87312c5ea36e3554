// Robust accuracy at every budget of one run, against the definition.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using ::testing::ElementsAre;

ConditionOutcomes MinimumNorm(const std::string& eps, std::vector<v1::Outcome> outcomes) {
  const auto conditions = ParseConditions({"attack/fmn:norm=l2,eps=" + eps});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  return {conditions->at(0), std::move(outcomes)};
}

v1::Report Built(const ReportInput& input) {
  const absl::StatusOr<v1::Report> report = BuildReport(input);
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *report : v1::Report();
}

// Random outcomes of three classes: clean mistakes, survivors, and adversarial examples at
// distances on a grid of `steps` values, so that some are equal.
std::vector<v1::Outcome> Random(int count, int steps, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<v1::Outcome> outcomes;
  for (int i = 0; i < count; ++i) {
    const int label = static_cast<int>(random() % 3);
    const int other = (label + 1 + static_cast<int>(random() % 2)) % 3;
    switch (random() % 6) {
      case 0:
        outcomes.push_back(NotAttacked(i, label, other));
        break;
      case 1:
        outcomes.push_back(Survivor(i, label, 10, 5));
        break;
      default:
        const int step = 1 + static_cast<int>(random() % static_cast<unsigned>(steps));
        outcomes.push_back(Fooled(i, label, other, static_cast<double>(step) / steps));
    }
  }
  return outcomes;
}

// Straight from the definition.
int64_t RobustAt(const std::vector<v1::Outcome>& outcomes, double eps) {
  return std::count_if(outcomes.begin(), outcomes.end(), [&](const v1::Outcome& o) {
    return o.attack().clean_prediction() == o.label() &&
           (!o.attack().success() || o.attack().distance() > eps);
  });
}

TEST(SecurityCurve, HasEveryDistanceAtWhichRobustAccuracyChanges) {
  const auto report = Built(Input(
      3, {MinimumNorm("0.5", {NotAttacked(0, 0, 1), Fooled(1, 0, 1, 0.25), Fooled(2, 1, 2, 0.75),
                              Fooled(3, 2, 0, 0.25), Survivor(4, 1, 1, 1)})}));
  ASSERT_EQ(report.conditions_size(), 1);
  std::vector<double> eps, robust;
  for (const v1::SecurityPoint& point : report.conditions(0).attack().security_curve()) {
    eps.push_back(point.eps());
    robust.push_back(point.robust_accuracy().value());
    EXPECT_EQ(point.robust_accuracy().denominator(), 5);
  }
  EXPECT_THAT(eps, ElementsAre(0, 0.25, 0.75));
  // The first is the clean accuracy.
  EXPECT_THAT(robust, ElementsAre(0.8, 0.4, 0.2));
}

TEST(SecurityCurve, EqualsABruteForceRecomputationAtEveryPoint) {
  for (const int steps : {5, 40, 1000}) {
    const auto outcomes = Random(700, steps, 11);
    const auto report = Built(Input(3, {MinimumNorm("0.5", outcomes)}));
    const v1::AttackReport& attack = report.conditions(0).attack();
    const auto& curve = attack.security_curve();
    ASSERT_GT(curve.size(), 2);
    EXPECT_LE(curve.size(), 101);
    EXPECT_EQ(curve[0].eps(), 0);
    EXPECT_EQ(curve[0].robust_accuracy().SerializeAsString(),
              attack.clean_accuracy().SerializeAsString());
    double last = 0;
    for (const auto& outcome : outcomes) last = std::max(last, outcome.attack().distance());
    EXPECT_EQ(curve[curve.size() - 1].eps(), last);
    for (int i = 0; i < curve.size(); ++i) {
      EXPECT_EQ(curve[i].robust_accuracy().numerator(), RobustAt(outcomes, curve[i].eps()));
      EXPECT_EQ(curve[i].robust_accuracy().denominator(), 700);
      EXPECT_LE(curve[i].robust_accuracy().lower(), curve[i].robust_accuracy().value());
      EXPECT_GE(curve[i].robust_accuracy().upper(), curve[i].robust_accuracy().value());
      if (i > 0) {
        EXPECT_GT(curve[i].eps(), curve[i - 1].eps());
        EXPECT_LT(curve[i].robust_accuracy().value(), curve[i - 1].robust_accuracy().value());
      }
    }
    if (steps == 40) {
      EXPECT_EQ(curve.size(), 41) << "every distance, and 0";
    }
    if (steps == 1000) {
      EXPECT_EQ(curve.size(), 101) << "thinned";
    }
  }
}

TEST(SecurityCurve, ASampleThatIsUndecidedInTheAttackIsRobustNowhere) {
  v1::Outcome undecided = Undecided(1, 0);
  undecided.mutable_attack()->set_attacked(true);
  undecided.mutable_attack()->set_clean_prediction(0);
  const auto report = Built(Input(2, {MinimumNorm("0.5", {Survivor(0, 0, 1, 1), undecided})}));
  ASSERT_EQ(report.conditions(0).attack().security_curve_size(), 1);
  EXPECT_EQ(report.conditions(0).attack().security_curve(0).robust_accuracy().numerator(), 1);
  EXPECT_EQ(report.conditions(0).correct(), 1);
}

TEST(SecurityCurve, IsEmptyBeforeTheFirstOutcome) {
  ReportInput input = Input(2, {MinimumNorm("0.5", {})});
  input.expected_samples = 10;
  const auto report = Built(input);
  EXPECT_EQ(report.conditions(0).attack().security_curve_size(), 0);
  EXPECT_EQ(report.conditions(0).missing(), 10);
  EXPECT_FALSE(report.complete());
}

// --- the entries of the report

TEST(MinimumNormReport, HasOneEntryForEachBudgetWithTheIdOfThatBudgetAlone) {
  const auto outcomes = Random(300, 50, 3);
  const auto report = Built(Input(3, {Clean({}), MinimumNorm("1+0.25+0.5+0.25", outcomes)}));
  ASSERT_EQ(report.conditions_size(), 4);
  const char* const budgets[] = {"0.25", "0.5", "1"};
  for (int i = 0; i < 3; ++i) {
    const v1::ConditionReport& entry = report.conditions(1 + i);
    EXPECT_EQ(entry.id(), std::string("attack/fmn/l2/") + budgets[i]);
    EXPECT_EQ(entry.parameters().at("eps"), budgets[i]);
    EXPECT_EQ(entry.method(), "fmn");
    EXPECT_EQ(entry.missing(), 0);
    EXPECT_EQ(entry.attack().security_curve_size(),
              report.conditions(1).attack().security_curve_size());
    // As if the condition had been written so.
    const auto alone = Built(Input(3, {Clean({}), MinimumNorm(budgets[i], outcomes)}));
    EXPECT_EQ(alone.conditions(1).DebugString(), entry.DebugString());
  }
}

// An attack with that budget would have left these outcomes.
TEST(MinimumNormReport, EveryNumberIsThatOfAnAttackWithThatBudget) {
  const auto outcomes = Random(300, 50, 5);
  const double budgets[] = {0.02, 0.25, 0.5, 2};
  const auto report = Built(Input(3, {MinimumNorm("0.02+0.25+0.5+2", outcomes)}));
  ASSERT_EQ(report.conditions_size(), 4);
  for (int i = 0; i < 4; ++i) {
    std::vector<v1::Outcome> fixed;
    for (const v1::Outcome& outcome : outcomes) {
      if (outcome.attack().success() && outcome.attack().distance() > budgets[i]) {
        fixed.push_back(Survivor(outcome.sample(), outcome.label(), outcome.attack().forwards(),
                                 outcome.attack().backwards()));
      } else {
        fixed.push_back(outcome);
      }
    }
    const v1::ConditionReport expected = OnlyCondition(Input(3, {Attack(fixed)}));
    v1::ConditionReport actual = report.conditions(i);
    EXPECT_EQ(actual.correct(), RobustAt(outcomes, budgets[i]));
    EXPECT_EQ(actual.accuracy().DebugString(), expected.accuracy().DebugString());
    ASSERT_EQ(actual.confusion_matrix_size(), expected.confusion_matrix_size());
    for (int row = 0; row < actual.confusion_matrix_size(); ++row) {
      EXPECT_EQ(actual.confusion_matrix(row).DebugString(),
                expected.confusion_matrix(row).DebugString());
    }
    for (int c = 0; c < actual.classes_size(); ++c) {
      EXPECT_EQ(actual.classes(c).DebugString(), expected.classes(c).DebugString());
    }
    v1::AttackReport attack = actual.attack(), expected_attack = expected.attack();
    attack.clear_security_curve();
    // Those tell of the method, too.
    attack.clear_checks();
    expected_attack.clear_checks();
    EXPECT_EQ(attack.DebugString(), expected_attack.DebugString());
  }
}

TEST(MinimumNormReport, ATieCountsFromItsDistanceOnAndIsForgottenBelow) {
  v1::Outcome tied = Fooled(0, 0, 0, 0.5);
  tied.set_tie(true);
  const auto report = Built(Input(2, {MinimumNorm("0.25+0.5", {tied})}));
  EXPECT_EQ(report.conditions(0).correct(), 1);
  EXPECT_EQ(report.conditions(0).ties(), 0);
  EXPECT_EQ(report.conditions(1).correct(), 0);
  EXPECT_EQ(report.conditions(1).ties(), 1);
}

TEST(MinimumNormReport, MissingSamplesMakeEveryBudgetIncomplete) {
  ReportInput input = Input(3, {MinimumNorm("0.25+0.5", Random(20, 5, 2))});
  input.expected_samples = 25;
  const auto report = Built(input);
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(report.conditions(0).missing(), 5);
  EXPECT_EQ(report.conditions(1).missing(), 5);
}

TEST(MinimumNormReport, RefusesADistanceThatIsNoNumberWhateverTheBudget) {
  for (const double distance :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -1.0}) {
    const auto status =
        BuildReport(Input(2, {MinimumNorm("0.5", {Fooled(0, 0, 1, distance)})})).status();
    EXPECT_EQ(ReasonOf(status), Reason::kInternal) << distance;
  }
}

}  // namespace
}  // namespace assay::report
