// Every attack against a linear model, where the smallest perturbation is known in closed form; and
// the driver's promises.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/corruptions/corruption.h"
#include "core/corruptions/plan.h"
#include "gmock/gmock.h"
#include "server/engine/attacks/apgd_schedule.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/hyperplane.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/registry.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/fake_models.h"
#include "tests/server/engine/base/run_condition.h"

namespace assay::engine {
namespace {

constexpr Shape kShape{3, 4, 4};

// --- the table: one row for each attack

struct AttackRow {
  std::string expression;  // without eps
  Norm norm;
  // Succeeds on a linear model whenever eps exceeds the closed form by this factor.
  double factor;
  friend std::ostream& operator<<(std::ostream& out, const AttackRow& row) {
    return out << row.expression;
  }
};

class EveryAttack : public ::testing::TestWithParam<AttackRow> {};

TEST_P(EveryAttack, FoolsALinearModelExactlyAboveTheClosedForm) {
  const AttackRow& row = GetParam();
  // With two classes the gradient of every loss points straight at the boundary, so a budget method
  // has no excuse.
  LinearClassifier model(kShape, 2, 8);
  VectorSource samples(model, 40);
  std::vector<double> minima;
  for (size_t i = 0; i < samples.size(); ++i) {
    minima.push_back(model.MinimalEps(row.norm, samples.images[i].data(), samples.labels[i]));
  }
  std::sort(minima.begin(), minima.end());
  const std::string eps = absl::StrFormat("%.5f", minima[20]);
  const double eps_value = std::stod(eps);
  int above = 0, below = 0;
  const auto outcomes = RunCondition(absl::StrCat(row.expression, ",eps=", eps), model, samples);
  ASSERT_EQ(outcomes.size(), samples.size());
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const double minimal = model.MinimalEps(row.norm, samples.images[i].data(), samples.labels[i]);
    if (eps_value > minimal * row.factor) {
      ++above;
      EXPECT_TRUE(outcomes[i].attack().success()) << i << " minimal " << minimal;
      EXPECT_GE(outcomes[i].attack().distance(), minimal * (1 - 1e-3));
    } else if (eps_value < minimal) {
      ++below;
      EXPECT_FALSE(outcomes[i].attack().success()) << i << " minimal " << minimal;
      EXPECT_EQ(outcomes[i].prediction(), samples.labels[i]);
    }
    EXPECT_LE(outcomes[i].attack().distance(), eps_value * (1 + 1e-6));
  }
  // The budget separates the samples, or this test says nothing.
  EXPECT_GT(above, 5);
  EXPECT_GT(below, 5);
}

TEST_P(EveryAttack, DoesNotDependOnBatchGroupingOrOrder) {
  const AttackRow& row = GetParam();
  const std::string expression =
      absl::StrCat(row.expression, ",eps=", row.norm == Norm::kLinf ? "0.02" : "0.1");
  LinearClassifier model(kShape, 5, 8);
  VectorSource all(model, 30);
  const auto outcomes = RunCondition(expression, model, all);
  ExpectSameInParts(expression, kShape, outcomes, 3);
}

INSTANTIATE_TEST_SUITE_P(
    Table, EveryAttack,
    ::testing::Values(
        AttackRow{"attack/pgd:norm=linf,steps=20", Norm::kLinf, 1.001},
        AttackRow{"attack/pgd:norm=l2,steps=40,step=0.01", Norm::kL2, 1.01},
        AttackRow{"attack/apgd-ce:norm=linf", Norm::kLinf, 1.001},
        AttackRow{"attack/apgd-ce:norm=l2", Norm::kL2, 1.001},
        AttackRow{"attack/apgd-dlr:norm=linf,restarts=2", Norm::kLinf, 1.001},
        AttackRow{"attack/apgd-dlr:norm=l2,restarts=2", Norm::kL2, 1.001},
        AttackRow{"attack/apgd-t:norm=linf", Norm::kLinf, 1.001},
        AttackRow{"attack/apgd-t:norm=l2", Norm::kL2, 1.001},
        // Two values in three change at the next steps, rounded up: two remain two, where the best
        // point changes the one with the largest weight.
        AttackRow{"attack/apgd-ce:norm=l1", Norm::kL1, 1.15},
        AttackRow{"attack/apgd-ce:norm=l1,larger_eps=no", Norm::kL1, 1.15},
        AttackRow{"attack/apgd-dlr:norm=l1", Norm::kL1, 1.15},
        AttackRow{"attack/apgd-t:norm=l1", Norm::kL1, 1.15},
        AttackRow{"attack/apgd-ce:norm=linf,eot=3", Norm::kLinf, 1.001},
        AttackRow{"attack/apgd-ce:norm=l1,eot=2", Norm::kL1, 1.15},
        // FAB overshoots by 5 %, and comes back by tenths.
        AttackRow{"attack/fab-t:norm=linf", Norm::kLinf, 1.06},
        AttackRow{"attack/fab-t:norm=l2", Norm::kL2, 1.06},
        AttackRow{"attack/fab-t:norm=l1", Norm::kL1, 1.06},
        AttackRow{"attack/fab-t:norm=l2,restarts=3", Norm::kL2, 1.06},
        AttackRow{"attack/fab:norm=linf", Norm::kLinf, 1.06},
        AttackRow{"attack/fab:norm=l2,restarts=3", Norm::kL2, 1.06},
        AttackRow{"attack/fab:norm=l1", Norm::kL1, 1.06},
        // Random search with smooth windows over weights that are white noise; and its windows of
        // one pixel never reach the last row and column, which matters on 4 x 4 pixels.
        AttackRow{"attack/square:norm=linf,queries=2000", Norm::kLinf, 1.8},
        // Gradients from random directions: never exact.
        AttackRow{"attack/spsa:norm=linf,samples=64,step=0.002", Norm::kLinf, 1.02},
        AttackRow{"attack/spsa:norm=l2,samples=64", Norm::kL2, 1.1},
        AttackRow{"attack/nes:norm=linf", Norm::kLinf, 1.02},
        AttackRow{"attack/nes:norm=l2", Norm::kL2, 1.1},
        AttackRow{"attack/autoattack:norm=linf", Norm::kLinf, 1.001},
        AttackRow{"attack/autoattack:norm=l2", Norm::kL2, 1.001},
        AttackRow{"attack/autoattack:norm=l1", Norm::kL1, 1.001},
        AttackRow{"attack/autoattack:norm=linf,version=rand", Norm::kLinf, 1.001},
        AttackRow{"attack/autoattack:norm=l2,version=custom,parts=fab+apgd-dlr", Norm::kL2,
                  1.001}));

v1::ImageShape RgbShape() {
  v1::ImageShape shape;
  shape.set_channels(3);
  shape.set_height(32);
  shape.set_width(32);
  return shape;
}

TEST(Registry, EveryAttackAndCorruptionThatUsersCanWriteExistsInTheEngine) {
  std::vector<std::string> attacks, corruptions;
  for (const MethodHelp& method : AllMethods()) {
    const size_t slash = method.expression.find('/');
    if (slash == std::string::npos) continue;
    const std::string family = method.expression.substr(0, slash);
    const std::string name = method.expression.substr(slash + 1);
    if (family == kFamilyAttack) attacks.push_back(name);
    if (family != kFamilyCorruption || name == "frost") continue;  // that one needs its photographs
    const auto conditions = ParseConditions({method.expression});
    ASSERT_TRUE(conditions.ok()) << conditions.status();
    for (const v1::Condition& condition : *conditions) {
      const auto plan = corruptions::CorruptionPlan::Make(condition, RgbShape(), nullptr);
      EXPECT_TRUE(plan.ok()) << plan.status();
    }
    corruptions.push_back(name);
  }
  EXPECT_THAT(AttackNames(), ::testing::UnorderedElementsAreArray(attacks));
  for (const corruptions::Corruption& corruption : corruptions::AllCorruptions()) {
    if (std::string(corruption.name) == "frost") continue;
    EXPECT_THAT(corruptions, ::testing::Contains(corruption.name));
  }
}

TEST(Registry, AttacksAreMadeOfTheirDefaultsAndFindDistancesWhereUsersAreToldSo) {
  for (const std::string& name : AttackNames()) {
    if (TaskMethodNamed(name) != nullptr) continue;
    const v1::Condition condition = ParseOne(absl::StrCat("attack/", name));
    const auto attack = MakeAttack(condition);
    ASSERT_TRUE(attack.ok()) << attack.status();
    EXPECT_EQ((*attack)->minimum_norm(), IsMinimumNorm(condition)) << name;
    v1::Condition lacking = condition;
    lacking.clear_parameters();
    EXPECT_EQ(ReasonOf(MakeAttack(lacking).status()), Reason::kInvalidCondition) << name;
  }
  v1::Condition unknown;
  unknown.set_method("transfer");
  EXPECT_EQ(ReasonOf(MakeAttack(unknown).status()), Reason::kInvalidCondition);
}

// Its pyramids are smooth, so the table's white noise is out of reach for it; weights that are
// smooth too are not.
TEST(SquareL2, FoolsASmoothLinearModelNearTheClosedFormAndNeverBelowIt) {
  LinearClassifier model({1, 12, 12}, 2, 8);
  model.SetRow(1, [](int row, int column) { return (row < 6) == (column < 6) ? 1.0F : -1.0F; });
  VectorSource samples(model, 30);
  std::vector<double> minima;
  for (size_t i = 0; i < samples.size(); ++i) {
    minima.push_back(model.MinimalEps(Norm::kL2, samples.images[i].data(), samples.labels[i]));
  }
  std::vector<double> sorted = minima;
  std::sort(sorted.begin(), sorted.end());
  const std::string eps = absl::StrFormat("%.5f", sorted[22]);
  const auto outcomes =
      RunCondition(absl::StrCat("attack/square:norm=l2,queries=3000,eps=", eps), model, samples);
  int successes = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const v1::AttackOutcome& attack = outcomes[i].attack();
    successes += attack.success() ? 1 : 0;
    if (attack.success()) {
      EXPECT_GE(std::stod(eps), minima[i]);
    }
    if (std::stod(eps) > 3 * minima[i]) {
      EXPECT_TRUE(attack.success()) << i << " minimal " << minima[i];
    }
  }
  EXPECT_GT(successes, 5);
}

// --- PGD

TEST(Pgd, CountsThePassesOfASurvivor) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 20);
  // A budget too small for anybody: 1 clean pass, then per restart 7 gradient passes and one
  // forward pass of the last iterate.
  for (const auto& outcome :
       RunCondition("attack/pgd:eps=0.00001,steps=7,restarts=3", model, samples)) {
    EXPECT_EQ(outcome.attack().forwards(), 1 + 3 * 8);
    EXPECT_EQ(outcome.attack().backwards(), 3 * 7);
  }
}

TEST(Pgd, MoreRestartsFindNoFewer) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 60);
  const auto once = RunCondition("attack/pgd:eps=0.02,steps=1,step=0.005", model, samples);
  const auto often =
      RunCondition("attack/pgd:eps=0.02,steps=1,step=0.005,restarts=20", model, samples);
  int gained = 0;
  for (size_t i = 0; i < once.size(); ++i) {
    gained += often[i].attack().success() && !once[i].attack().success() ? 1 : 0;
  }
  EXPECT_GT(gained, 0);
}

TEST(Pgd, AnotherSeedIsAnotherRandomStart) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 20);
  const auto first = RunCondition("attack/pgd:eps=0.05,steps=1", model, samples, 1);
  const auto second = RunCondition("attack/pgd:eps=0.05,steps=1", model, samples, 2);
  int different = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    different += first[i].attack().distance() != second[i].attack().distance() ||
                         first[i].confidence() != second[i].confidence()
                     ? 1
                     : 0;
  }
  EXPECT_GT(different, 10);
}

// --- AutoAttack and its parts

// Checkpoints of the published schedule (specification: B1.2), counted from 1.
TEST(ApgdSchedule, ChecksAtThePublishedIterations) {
  const std::map<int, std::vector<int>> published = {{100, {22, 41, 57, 70, 80, 87, 93, 99}},
                                                     {50, {11, 21, 30, 38, 45}},
                                                     {40, {8, 15, 21, 26, 30, 33, 35, 37, 39}},
                                                     {20, {4, 7, 9, 10, 11}},
                                                     {10, {2, 3, 4, 5, 6, 7, 8, 9, 10}}};
  for (const auto& [steps, expected] : published) {
    ApgdSchedule schedule(steps, 1);
    schedule.Start(0);
    std::vector<int> checkpoints;
    for (int i = 1; i <= steps && checkpoints.size() < expected.size(); ++i) {
      if (schedule.Record(0).checkpoint) checkpoints.push_back(i);
    }
    EXPECT_EQ(checkpoints, expected) << steps;
  }
}

TEST(ApgdSchedule, HalvesWhenTheLossStopsRisingAndNotBefore) {
  ApgdSchedule rising(100, 0.5);
  rising.Start(1);
  for (int i = 1; i <= 100; ++i) EXPECT_FALSE(rising.Record(1 + i).back_to_best);
  EXPECT_EQ(rising.step_size(), 0.5);
  ApgdSchedule falling(100, 0.5);
  falling.Start(1);
  for (int i = 1; i <= 22; ++i) falling.Record(1 - 0.01 * i);
  EXPECT_EQ(falling.step_size(), 0.25);
}

// Specification, table of B1.1: a survivor of the standard version costs 7,857 forward and 1,910
// backward passes.
TEST(AutoAttack, ASurvivorCostsNoMoreThanThePublishedCode) {
  LinearClassifier model(kShape, 10, 8);
  VectorSource samples(model, 8);
  for (const auto& outcome : RunCondition("attack/autoattack:eps=0.000001", model, samples)) {
    EXPECT_LE(outcome.attack().forwards(), 7857);
    EXPECT_LE(outcome.attack().backwards(), 1910);
    EXPECT_GE(outcome.attack().forwards(), 7000);
    EXPECT_EQ(outcome.attack().stage(), "");
  }
}

TEST(AutoAttack, SaysWhichPartFoundTheAdversarialExample) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 20);
  for (const auto& outcome : RunCondition("attack/autoattack:eps=0.3", model, samples)) {
    EXPECT_TRUE(outcome.attack().success());
    EXPECT_EQ(outcome.attack().stage(), "apgd-ce");
  }
}

class EveryHyperplane : public ::testing::TestWithParam<Norm> {};

// Against a grid search in two dimensions, and by its conditions in many.
TEST_P(EveryHyperplane, StepIsTheShortestInsideTheBox) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> unit(0, 1), weight(-1, 1);
  for (int trial = 0; trial < 200; ++trial) {
    const std::vector<float> x = {unit(random), unit(random)};
    const std::vector<float> w = {weight(random), weight(random)};
    const double offset = 0.5 * weight(random);
    std::vector<float> step(2);
    const double length = StepToHyperplane(GetParam(), x.data(), w.data(), offset, 2, step.data());
    // Every point of the hyperplane inside the box, from a fine walk along the first coordinate.
    double shortest = INFINITY;
    const auto consider = [&](double a) {
      const double b = x[1] - (offset + w[0] * (a - x[0])) / w[1];
      if (a < 0 || a > 1 || b < 0 || b > 1) return;
      const double da = std::abs(a - x[0]), db = std::abs(b - x[1]);
      shortest = std::min(shortest, GetParam() == Norm::kLinf ? std::max(da, db)
                                    : GetParam() == Norm::kL2 ? std::sqrt(da * da + db * db)
                                                              : da + db);
    };
    for (int i = 0; i <= 20000; ++i) consider(i / 20000.0);
    // Where one coordinate does it all, which a walk can miss when the other weighs little.
    consider(x[0]);
    consider(x[0] - offset / w[0]);
    if (!std::isfinite(shortest)) {
      // The hyperplane misses the box: the corner on its side.
      for (size_t i = 0; i < 2; ++i) {
        const float end = x[i] + step[i];
        EXPECT_NEAR(end, (w[i] > 0) == (offset > 0) ? 0 : 1, 1e-6);
      }
      continue;
    }
    EXPECT_NEAR(length, shortest, 1e-3);
    EXPECT_NEAR(w[0] * step[0] + w[1] * step[1], -offset, 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Norms, EveryHyperplane,
                         ::testing::Values(Norm::kLinf, Norm::kL2, Norm::kL1));

TEST(Losses, RatiosHaveTheDerivativesOfFiniteDifferences) {
  std::mt19937 random(9);
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> unused(6);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<float> z(6), plain(6), targeted(6);
    for (float& value : z) value = normal(random);
    DifferenceOfLogitsRatio(z.data(), 6, 2, plain.data());
    TargetedDifferenceOfLogitsRatio(z.data(), 6, 2, 4, targeted.data());
    for (size_t k = 0; k < 6; ++k) {
      std::vector<float> up = z, down = z;
      up[k] += 1e-3F;
      down[k] -= 1e-3F;
      const double width = static_cast<double>(up[k]) - down[k];
      const double numeric = (DifferenceOfLogitsRatio(up.data(), 6, 2, unused.data()) -
                              DifferenceOfLogitsRatio(down.data(), 6, 2, unused.data())) /
                             width;
      const double numeric_targeted =
          (TargetedDifferenceOfLogitsRatio(up.data(), 6, 2, 4, unused.data()) -
           TargetedDifferenceOfLogitsRatio(down.data(), 6, 2, 4, unused.data())) /
          width;
      EXPECT_NEAR(plain[k], numeric, 0.01 * (1 + std::abs(numeric)));
      EXPECT_NEAR(targeted[k], numeric_targeted, 0.01 * (1 + std::abs(numeric_targeted)));
    }
  }
}

TEST(Losses, RanksTargetsByTheCleanLogits) {
  const std::vector<float> z = {1, 5, 3, 3, -1};
  EXPECT_EQ(RankedTarget(z.data(), 5, 1, 1), 2);
  EXPECT_EQ(RankedTarget(z.data(), 5, 1, 2), 3);
  EXPECT_EQ(RankedTarget(z.data(), 5, 1, 4), 4);
  EXPECT_EQ(RankedTarget(z.data(), 5, 0, 1), 1);
  EXPECT_DOUBLE_EQ(Margin(z.data(), 5, 1), 2);
  EXPECT_DOUBLE_EQ(Margin(z.data(), 5, 0), -4);
}

// --- the driver

TEST(AttackDriver, NeverAttacksWhatIsWrongClean) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 20);
  const int original = samples.labels[3];
  samples.labels[3] = (original + 1) % 5;
  const auto outcomes = RunCondition("attack/pgd:eps=0.3", model, samples);
  EXPECT_FALSE(outcomes[3].attack().attacked());
  EXPECT_FALSE(outcomes[3].attack().success());
  EXPECT_EQ(outcomes[3].prediction(), original);
  EXPECT_EQ(outcomes[3].attack().forwards(), 1);
  EXPECT_EQ(outcomes[3].attack().backwards(), 0);
}

TEST(AttackDriver, APointThatThePlainPassDoesNotConfirmIsNoAdversarialExample) {
  LinearClassifier model(kShape, 5, 4);
  VectorSource samples(model, 10);
  // The gradient pass lies: it shows every point as misclassified.
  model.on_gradient_logits = [](int, float* z) {
    std::fill(z, z + 5, 0.0F);
    z[0] = 1.0F;
  };
  const auto outcomes = RunCondition("attack/pgd:eps=0.00001,steps=5", model, samples);
  int64_t unconfirmed = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_FALSE(outcomes[i].attack().success());
    unconfirmed += outcomes[i].attack().unconfirmed_candidates();
    if (samples.labels[i] != 0) {
      EXPECT_EQ(outcomes[i].attack().unconfirmed_candidates(), 5);
      // Each lie costs one more forward pass.
      EXPECT_EQ(outcomes[i].attack().forwards(), 1 + 5 + 5 + 1);
    }
  }
  EXPECT_GT(unconfirmed, 0);
}

TEST(AttackDriver, ZeroGradientsAreCounted) {
  LinearClassifier model(kShape, 5, 8);
  model.gradient_scale = 0;
  VectorSource samples(model, 10);
  for (const auto& outcome : RunCondition("attack/pgd:eps=0.00001,steps=6", model, samples)) {
    EXPECT_EQ(outcome.attack().zero_gradients(), 6);
  }
}

TEST(AttackDriver, NonFiniteLogitsAndGradientsMakeASampleUndecidedAndNeverRobust) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 10);
  model.on_gradient_logits = [](int, float* z) { z[2] = NAN; };
  for (const auto& outcome : RunCondition("attack/pgd:eps=0.001", model, samples)) {
    EXPECT_TRUE(outcome.undecided());
    EXPECT_EQ(outcome.prediction(), -1);
  }
  model.on_gradient_logits = nullptr;
  model.gradient_scale = INFINITY;
  for (const auto& outcome : RunCondition("attack/pgd:eps=0.001", model, samples)) {
    EXPECT_TRUE(outcome.undecided());
    EXPECT_EQ(outcome.attack().nonfinite_gradients(), 1);
  }
}

TEST(AttackDriver, TiesAreNotRobust) {
  LinearClassifier model(kShape, 5, 8, /*lanes=*/1);
  VectorSource samples(model, 10);
  bool clean = true;
  model.on_forward = [&](int slot, float* z) {
    // After the clean passes every logit is the same.
    if (!clean) std::fill(z, z + 5, 1.0F);
    if (slot == 7) clean = model.usage().forward_batches < 1;
  };
  for (const auto& outcome : RunCondition("attack/pgd:eps=0.001,steps=1", model, samples)) {
    EXPECT_TRUE(outcome.attack().success());
    EXPECT_TRUE(outcome.tie());
  }
}

TEST(AttackDriver, StopsWithinAStepWhenCancelled) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 100);
  QuietObserver observer;
  observer.cancel_after = 30;
  const v1::Condition condition = ParseOne("attack/pgd:eps=0.00001,steps=1000");
  const auto outcomes = RunTask({condition, 1, samples, model, observer});
  EXPECT_EQ(ReasonOf(outcomes.status()), Reason::kCancelled);
  EXPECT_LE(model.usage().forward_batches, 30);
}

// 16 survivors at a batch of 8 are two full batches: nothing is wasted on padding. What is tried
// without a budget comes after the last is finished.
TEST(AttackDriver, KeepsTheBatchFull) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 16, 1);
  class UsageAtTheEnd : public QuietObserver {
   public:
    explicit UsageAtTheEnd(const Classifier& of) : of_(of) {}
    void OnProgress(int64_t done, double fraction) override {
      if (done == 16 && last_samples < 16) usage = of_.usage();
      QuietObserver::OnProgress(done, fraction);
    }
    Classifier::Usage usage;

   private:
    const Classifier& of_;
  } observer(model);
  const v1::Condition condition = ParseOne("attack/pgd:eps=0.00001,step=0.000001,steps=10");
  ASSERT_TRUE(RunTask({condition, 1, samples, model, observer}).ok());
  EXPECT_EQ(observer.usage.backward_batches, 2 * 10);
  EXPECT_EQ(observer.usage.forward_batches, 2 + 2 * 10 + 2);
}

// What a survivor is expected to cost is written in the table of conditions only.
TEST(AttackDriver, ProgressIsTheShareOfTheExpectedPasses) {
  class Fractions : public QuietObserver {
   public:
    void OnProgress(int64_t, double fraction) override { all.push_back(fraction); }
    std::vector<double> all;
  } observer;
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 1);
  const v1::Condition condition = ParseOne("attack/pgd:eps=0.00001,steps=3");
  ASSERT_TRUE(RunTask({condition, 1, samples, model, observer}).ok());
  ASSERT_EQ(WorkPerSample(condition), 1 + 3 * 3 + 1);
  ASSERT_GE(observer.all.size(), 5u);
  // The first is that of the clean passes.
  for (size_t pass = 1; pass <= 3; ++pass) {
    EXPECT_DOUBLE_EQ(observer.all[pass], static_cast<double>(1 + 3 * pass) / 11);
  }
  for (size_t i = 4; i < observer.all.size(); ++i) EXPECT_EQ(observer.all[i], 1);
}

TEST(AttackDriver, LabelsOutsideTheModelAreRefused) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 3);
  samples.labels[1] = 5;
  QuietObserver observer;
  const v1::Condition condition = ParseOne("clean");
  const auto outcomes = RunTask({condition, 1, samples, model, observer});
  EXPECT_EQ(ReasonOf(outcomes.status()), Reason::kLabelOutOfRange);
  EXPECT_THAT(outcomes.status().message(), ::testing::HasSubstr("sample 1 has label 5"));
}

// --- budgets, norms and losses

class EveryNorm : public ::testing::TestWithParam<Norm> {};

TEST_P(EveryNorm, ProjectionsAndRandomPointsStayInsideInDoublePrecision) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> unit(0, 1), wide(-2, 3);
  const RandomKey key(1, "test");
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<float> image(48), x(48);
    for (float& value : image) value = trial % 3 == 0 ? std::round(unit(random)) : unit(random);
    for (float& value : x) value = wide(random);
    const double eps = std::pow(10.0, -4 + trial % 5);
    const Budget budget(GetParam(), eps, image.data(), image.size());
    std::vector<float> inside = image;
    budget.Project(&inside);
    EXPECT_EQ(inside, image) << "the image itself is inside";
    for (int kind = 0; kind < 3; ++kind) {
      RandomStream stream(key, trial, 0);
      if (kind == 0) budget.Project(&x);
      if (kind == 1) budget.RandomPoint(stream, &x);
      if (kind == 2) budget.Ascend(std::vector<float>(48, 1.0F).data(), eps * 3, &x);
      EXPECT_LE(Distance(GetParam(), x.data(), image.data(), x.size()), eps);
      EXPECT_GE(*std::min_element(x.begin(), x.end()), 0.0F);
      EXPECT_LE(*std::max_element(x.begin(), x.end()), 1.0F);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Norms, EveryNorm, ::testing::Values(Norm::kLinf, Norm::kL2, Norm::kL1));

// <g, x> is at most the product, and reaches it: at the sign of g, at g, and at its largest value.
TEST(Norms, TheDualLengthIsTheMostThatAStepOfLengthOneGains) {
  const std::vector<float> g = {3, -4, 0};
  EXPECT_EQ(DualLength(Norm::kLinf, g.data(), 3), 7);
  EXPECT_EQ(DualLength(Norm::kL2, g.data(), 3), 5);
  EXPECT_EQ(DualLength(Norm::kL1, g.data(), 3), 4);
  EXPECT_EQ(Length(Norm::kLinf, g.data(), 3), 4);
  EXPECT_EQ(Length(Norm::kL2, g.data(), 3), 5);
  EXPECT_EQ(Length(Norm::kL1, g.data(), 3), 7);
}

// The radius of a uniform point in the d-ball has distribution (r/eps)^d.
TEST(Budget, RandomPointsAreUniformInTheL2Ball) {
  const std::vector<float> image(6, 0.5F);
  const double eps = 0.2;
  const Budget budget(Norm::kL2, eps, image.data(), image.size());
  const RandomKey key(1, "test");
  const int n = 4000;
  std::vector<double> quantiles;
  for (int i = 0; i < n; ++i) {
    RandomStream stream(key, i, 0);
    std::vector<float> x;
    budget.RandomPoint(stream, &x);
    quantiles.push_back(std::pow(Distance(Norm::kL2, x.data(), image.data(), 6) / eps, 6));
  }
  std::sort(quantiles.begin(), quantiles.end());
  double worst = 0;
  for (int i = 0; i < n; ++i) {
    worst = std::max(worst, std::abs(quantiles[static_cast<size_t>(i)] - (i + 0.5) / n));
  }
  // Kolmogorov-Smirnov at the level 1e-4 is 2.23 / sqrt(n).
  EXPECT_LT(worst, 2.23 / std::sqrt(n));
}

TEST(CrossEntropy, DerivativeIsThatOfFiniteDifferences) {
  const std::vector<float> z = {0.3F, -1.2F, 2.0F, 0.1F};
  std::vector<float> derivative(4), unused(4);
  CrossEntropy(z.data(), 4, 1, derivative.data());
  for (size_t k = 0; k < 4; ++k) {
    std::vector<float> up = z, down = z;
    up[k] += 0.01F;
    down[k] -= 0.01F;
    const double numeric = (CrossEntropy(up.data(), 4, 1, unused.data()) -
                            CrossEntropy(down.data(), 4, 1, unused.data())) /
                           (static_cast<double>(up[k]) - down[k]);
    EXPECT_NEAR(derivative[k], numeric, 1e-4);
  }
}

// softmax(z)_y - 1 is exactly 0 in float32 here; the true value is not.
TEST(CrossEntropy, DoesNotVanishForAConfidentModel) {
  const std::vector<float> z = {40.0F, 0.0F, 0.0F};
  std::vector<float> derivative(3);
  CrossEntropy(z.data(), 3, 0, derivative.data());
  EXPECT_NEAR(derivative[0], -2 * std::exp(-40.0), 1e-20);
  EXPECT_LT(derivative[0], 0);
}

}  // namespace
}  // namespace assay::engine
