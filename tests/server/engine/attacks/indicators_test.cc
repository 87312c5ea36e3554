// Indicators of attack failure: the curves of arXiv 2106.09947, and what the driver makes of them.
#include "server/engine/attacks/indicators.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "core/base/probe_order.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "server/engine/attacks/attack.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/fake_models.h"

namespace assay::engine {
namespace {

constexpr Shape kShape{3, 4, 4};
// Too small for anybody.
constexpr char kTinyPgd[] = "attack/pgd:eps=0.00001,step=0.000001,steps=12";

std::vector<float> Falling(int steps, int total, float scale = 1) {
  std::vector<float> losses;
  for (int i = 0; i < total; ++i) {
    losses.push_back(scale *
                     (1 - static_cast<float>(std::min(i, steps)) / static_cast<float>(steps)));
  }
  return losses;
}

// The corner of a loss that falls in a straight line to 0 at x and then stays: the triangle (0, 1),
// (x, 0), (1, 0), whose angle at the corner has the cosine -x / sqrt(x^2 + 1).
TEST(BreakPointAngle, IsThatOfTheTriangle) {
  for (const int steps : {1, 5, 10, 19}) {
    const double x = steps / 20.0;
    EXPECT_NEAR(*BreakPointAngle(Falling(steps, 21)), x / std::sqrt(x * x + 1), 1e-6) << steps;
    EXPECT_NEAR(*BreakPointAngle(Falling(steps, 21, 1e4F)), x / std::sqrt(x * x + 1), 1e-5);
  }
  EXPECT_NEAR(*BreakPointAngle(Falling(20, 21)), 1, 1e-3);
}

TEST(IncreasingLoss, IsTheAreaUnderTheRisingParts) {
  EXPECT_EQ(*IncreasingLoss(Falling(7, 30)), 0);
  // 0, 1, 0, 1, ...: up in half of the steps, at a mean height of a half.
  std::vector<float> losses;
  for (int i = 0; i < 21; ++i) losses.push_back(static_cast<float>(i % 2));
  EXPECT_DOUBLE_EQ(*IncreasingLoss(losses), 0.25);
  // A straight line up is a triangle.
  std::vector<float> rising = Falling(20, 21);
  std::reverse(rising.begin(), rising.end());
  EXPECT_NEAR(*IncreasingLoss(rising), 0.5, 1e-6);
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform;
  losses.resize(20000);
  for (float& loss : losses) loss = uniform(random);
  EXPECT_NEAR(*IncreasingLoss(losses), 0.25, 0.01);
}

TEST(Indicators, SayNothingOfShortStillOrBrokenCurves) {
  EXPECT_FALSE(BreakPointAngle(Falling(3, 9)).has_value());
  EXPECT_TRUE(BreakPointAngle(Falling(3, 10)).has_value());
  const std::vector<float> still(30, 2);
  EXPECT_FALSE(BreakPointAngle(still).has_value());
  EXPECT_FALSE(IncreasingLoss(still).has_value());
  std::vector<float> broken = Falling(3, 20);
  broken[7] = NAN;
  EXPECT_FALSE(BreakPointAngle(broken).has_value());
  EXPECT_FALSE(IncreasingLoss(broken).has_value());
}

TEST(LossCurve, IsThatOfTheGradientPassesUntilAPlainOneFollowsThem) {
  const auto describe = [](bool plain_first, bool plain_within) {
    LossCurve curve;
    if (plain_first) curve.EndRun();
    for (int i = 0; i < 20; ++i) {
      if (plain_within && i == 12) curve.EndRun();
      // The margin of class 1 falls for six passes and then stays.
      const std::vector<float> logits = {static_cast<float>(std::min(i, 6)), 6, -9};
      curve.Add(logits.data(), 3, 1, i < 12 ? AttackState::kAnyButLabel : 2);
    }
    v1::AttackOutcome outcome;
    curve.Describe(outcome);
    return outcome;
  };
  const std::vector<float> first = Falling(6, 12);
  for (const bool plain_first : {false, true}) {
    const v1::AttackOutcome outcome = describe(plain_first, /*plain_within=*/true);
    EXPECT_NEAR(outcome.break_point_angle(), *BreakPointAngle(first), 1e-6);
    EXPECT_EQ(outcome.increasing_loss(), 0);
  }
  // Without one, the losses of a wanted class follow, which are much larger.
  EXPECT_GT(describe(false, false).increasing_loss(), 0.01);
}

// Six passes, and twice more the last three.
TEST(LossCurve, TakesThePassesThatWereLeftOutForMade) {
  LossCurve made, left_out;
  v1::AttackOutcome expected, outcome;
  for (int i = 0; i < 12; ++i) {
    const std::vector<float> logits = {static_cast<float>(i < 3 ? i : 3 + i % 3), 6, -9};
    made.Add(logits.data(), 3, 1, AttackState::kAnyButLabel);
    if (i < 6) left_out.Add(logits.data(), 3, 1, AttackState::kAnyButLabel);
  }
  left_out.Add(Repetition{3, 2});
  left_out.EndRun();
  left_out.Add(Repetition{3, 2});
  made.Describe(expected);
  left_out.Describe(outcome);
  EXPECT_TRUE(expected.has_break_point_angle());
  EXPECT_EQ(outcome.SerializeAsString(), expected.SerializeAsString());
}

class DriverTest : public ::testing::Test {
 protected:
  std::vector<v1::AttackOutcome> Run(const std::string& expression, size_t count = 45) {
    const auto conditions = ParseConditions({expression});
    EXPECT_TRUE(conditions.ok()) << conditions.status();
    const VectorSource samples(model_, count);
    QuietObserver observer;
    const auto outcomes = RunTask({conditions->at(0), 1, samples, model_, observer});
    EXPECT_TRUE(outcomes.ok()) << outcomes.status();
    std::vector<v1::AttackOutcome> attacks;
    for (const v1::Outcome& outcome : *outcomes) attacks.push_back(outcome.attack());
    return attacks;
  }

  LinearClassifier model_{kShape, 5, 8};
};

TEST_F(DriverTest, TriesTheFirst32SurvivorsWithoutABudgetAndCountsNoneOfIt) {
  const auto attacks = Run(kTinyPgd);
  std::vector<int64_t> order(attacks.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [](int64_t a, int64_t b) { return ProbeOrder(a) < ProbeOrder(b); });
  for (size_t i = 0; i < attacks.size(); ++i) {
    const v1::AttackOutcome& attack = attacks[static_cast<size_t>(order[i])];
    ASSERT_FALSE(attack.success());
    EXPECT_EQ(attack.unconstrained(),
              i < 32 ? v1::AttackOutcome::FOOLED : v1::AttackOutcome::NOT_TRIED);
    EXPECT_EQ(attack.forwards(), 1 + 12 + 1);
    EXPECT_EQ(attack.backwards(), 12);
  }
}

// However samples are cut into tasks, the first 32 of all are among those tried.
TEST_F(DriverTest, TriesTheSameSurvivorsInSmallerTasks) {
  const auto whole = Run(kTinyPgd);
  const auto first = Run(kTinyPgd, 20);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].unconstrained(), v1::AttackOutcome::FOOLED);
    if (whole[i].unconstrained() == v1::AttackOutcome::NOT_TRIED) continue;
    EXPECT_EQ(whole[i].unconstrained(), first[i].unconstrained());
  }
}

// The image has no gradient to follow, but random starts are of other classes.
TEST_F(DriverTest, WithoutAGradientSurvivorsHoldAtTheImage) {
  model_.gradient_scale = 0;
  const auto attacks = Run(kTinyPgd, 32);
  for (const v1::AttackOutcome& attack : attacks) {
    EXPECT_EQ(attack.unconstrained(), v1::AttackOutcome::FOOLED_FROM_ELSEWHERE);
  }
  EXPECT_EQ(attacks[0].zero_gradients(), 12);
  EXPECT_FALSE(attacks[0].has_break_point_angle());
}

// One class whatever the image: nothing can be found, and all of the search is made.
TEST_F(DriverTest, AModelThatNeverChangesItsMindHolds) {
  model_.on_forward = model_.on_gradient_logits = [](int, float* logits) { logits[0] = 1000; };
  model_.gradient_scale = 0;
  const Classifier::Usage before = model_.usage();
  const auto attacks = Run(kTinyPgd, 32);
  int tried = 0;
  for (const v1::AttackOutcome& attack : attacks) {
    EXPECT_EQ(attack.unconstrained(),
              attack.attacked() ? v1::AttackOutcome::HELD : v1::AttackOutcome::NOT_TRIED);
    tried += attack.attacked() ? 1 : 0;
  }
  ASSERT_GT(tried, 0);
  ASSERT_LE(tried, model_.gradient_sizes().largest());
  // PGD, and 220 gradients at most.
  EXPECT_LE(model_.usage().backward_batches - before.backward_batches, 12 + 220);
}

// A gradient that points the wrong way makes the loss fall ever lower; all 20 steps are taken.
TEST_F(DriverTest, AGradientThatMisleadsLetsSurvivorsHoldAtTheImage) {
  model_.gradient_scale = -1;
  for (const v1::AttackOutcome& attack : Run(kTinyPgd, 32)) {
    EXPECT_NE(attack.unconstrained(), v1::AttackOutcome::FOOLED);
    EXPECT_NE(attack.unconstrained(), v1::AttackOutcome::NOT_TRIED);
  }
}

// BIM goes a fifth of the budget a step: the margin of a linear model with two classes falls in a
// straight line for 5 of the 9 steps between its 10 passes, and stays.
TEST_F(DriverTest, MeasuresTheMarginsOfTheFirstRun) {
  LinearClassifier two(kShape, 2, 8);
  const VectorSource samples(two, 30);
  const auto conditions = ParseConditions({"attack/bim:eps=0.0001,steps=10"});
  ASSERT_TRUE(conditions.ok()) << conditions.status();
  QuietObserver observer;
  const auto outcomes = RunTask({conditions->at(0), 1, samples, two, observer});
  ASSERT_TRUE(outcomes.ok()) << outcomes.status();
  int survivors = 0;
  for (const v1::Outcome& outcome : *outcomes) {
    if (outcome.attack().success()) continue;
    ++survivors;
    EXPECT_NEAR(outcome.attack().break_point_angle(), 5 / std::sqrt(106), 0.02);
    EXPECT_NEAR(outcome.attack().increasing_loss(), 0, 0.02);
  }
  EXPECT_GT(survivors, 10);
}

// Three runs of nine passes are no curve of twenty-seven.
TEST_F(DriverTest, LaterRunsAreNoPartOfTheCurve) {
  EXPECT_FALSE(Run("attack/pgd:eps=0.00001,steps=9,restarts=3")[0].has_break_point_angle());
  EXPECT_TRUE(Run("attack/pgd:eps=0.00001,steps=10,restarts=3")[0].has_break_point_angle());
}

TEST_F(DriverTest, MeasuresOnlySurvivorsOfGradientAttacks) {
  for (const v1::AttackOutcome& attack : Run("attack/square:eps=0.00001,queries=15")) {
    EXPECT_EQ(attack.unconstrained(), v1::AttackOutcome::NOT_TRIED);
    EXPECT_FALSE(attack.has_break_point_angle());
  }
  for (const v1::AttackOutcome& attack : Run("attack/pgd:eps=0.5,steps=12")) {
    ASSERT_TRUE(attack.success());
    EXPECT_EQ(attack.unconstrained(), v1::AttackOutcome::NOT_TRIED);
    EXPECT_FALSE(attack.has_break_point_angle());
  }
}

// Losses and gradients of another model say nothing about this one.
TEST_F(DriverTest, MeasuresNothingOfATransfer) {
  const auto conditions = ParseConditions({"attack/transfer:surrogates=s,eps=0.00001,steps=12"});
  ASSERT_TRUE(conditions.ok());
  const VectorSource samples(model_, 25);
  LinearClassifier surrogate(kShape, 5, 8);
  QuietObserver observer;
  const auto outcomes = RunTask({conditions->at(0), 1, samples, model_, observer, {&surrogate}});
  ASSERT_TRUE(outcomes.ok()) << outcomes.status();
  for (const v1::Outcome& outcome : *outcomes) {
    EXPECT_EQ(outcome.attack().backwards(), 12);
    EXPECT_EQ(outcome.attack().unconstrained(), v1::AttackOutcome::NOT_TRIED);
    EXPECT_FALSE(outcome.attack().has_break_point_angle());
  }
}

// Without a plain pass that confirms it, since only where the gradients lead is asked.
TEST_F(DriverTest, AProbeTakesTheWordOfAGradientPass) {
  model_.on_forward = [](int, float* logits) { logits[0] = 1000; };
  model_.on_gradient_logits = [this](int, float* logits) {
    const float high = *std::max_element(logits, logits + model_.num_classes());
    if (high < 8) logits[0] = high + 20;
  };
  int tried = 0;
  for (const v1::AttackOutcome& attack : Run(kTinyPgd, 32)) {
    EXPECT_FALSE(attack.success());
    if (!attack.attacked()) continue;
    ++tried;
    EXPECT_NE(attack.unconstrained(), v1::AttackOutcome::HELD);
    EXPECT_NE(attack.unconstrained(), v1::AttackOutcome::NOT_TRIED);
    EXPECT_EQ(attack.unconfirmed_candidates(), 0);
  }
  EXPECT_GT(tried, 0);
}

TEST_F(DriverTest, AProbeThatMeetsWhatIsNotFiniteCountsAsNotTried) {
  // Far from the image, as only the probe gets.
  model_.on_gradient_logits = [this](int, float* logits) {
    const float high = *std::max_element(logits, logits + model_.num_classes());
    if (high > 8) logits[0] = NAN;
  };
  model_.gradient_scale = -1;
  const auto attacks = Run(kTinyPgd, 32);
  EXPECT_EQ(attacks[0].unconstrained(), v1::AttackOutcome::NOT_TRIED);
  EXPECT_TRUE(attacks[0].attacked());
}

TEST_F(DriverTest, AProbeFooledWhereTheGradientIsNotFiniteCountsAsNotTried) {
  // After the 12 batches of the attack and that at the images themselves.
  int batches = 0;
  model_.on_gradient_logits = [&](int slot, float* /*logits*/) {
    if (slot == 0 && ++batches == 12 + 2) model_.gradient_scale = INFINITY;
  };
  for (const v1::AttackOutcome& attack : Run(kTinyPgd, 8)) {
    EXPECT_EQ(attack.unconstrained(), v1::AttackOutcome::NOT_TRIED);
    EXPECT_EQ(attack.nonfinite_gradients(), 0);
  }
  EXPECT_EQ(batches, 12 + 2);
}

}  // namespace
}  // namespace assay::engine
