// The L1 budget against brute force, against the conditions of its optimum, and against the
// distributions it promises; and the L1 attacks against linear models.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/random.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/fake_models.h"

namespace assay::engine {
namespace {

std::vector<float> Uniform(std::mt19937& random, size_t n, float low, float high) {
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> values(n);
  for (float& value : values) value = uniform(random);
  return values;
}

double SquaredDistance(const std::vector<float>& a, const std::vector<float>& b) {
  const double distance = Distance(Norm::kL2, a.data(), b.data(), a.size());
  return distance * distance;
}

// The best point of a grid that is refined around its best point.
double BruteForce(const std::vector<float>& image, const std::vector<float>& wanted, double eps) {
  const size_t d = image.size();
  constexpr int kSide = 40;
  std::vector<double> center(d, 0.5);
  double width = 0.5, best = INFINITY;
  for (int round = 0; round < 7; ++round) {
    std::vector<double> best_point = center;
    const int points = static_cast<int>(std::pow(kSide + 1, d));
    for (int number = 0; number < points; ++number) {
      double used = 0, cost = 0;
      std::vector<double> point(d);
      int rest = number;
      for (size_t i = 0; i < d; ++i) {
        point[i] = center[i] + width * (2.0 * (rest % (kSide + 1)) / kSide - 1);
        point[i] = std::min(std::max(point[i], 0.0), 1.0);
        rest /= kSide + 1;
        used += std::abs(point[i] - image[i]);
        cost += (point[i] - wanted[i]) * (point[i] - wanted[i]);
      }
      if (used <= eps && cost < best) {
        best = cost;
        best_point = point;
      }
    }
    center = best_point;
    width *= 0.2;
  }
  return best;
}

TEST(L1Projection, IsTheNearestPointThatBruteForceFinds) {
  std::mt19937 random(11);
  for (int trial = 0; trial < 60; ++trial) {
    const size_t d = trial < 40 ? 2 : 3;
    const std::vector<float> image = Uniform(random, d, 0, 1);
    const std::vector<float> wanted = Uniform(random, d, -1, 2);
    const double eps = std::uniform_real_distribution<double>(0.05, 1.5)(random);
    std::vector<float> ours = wanted;
    Budget(Norm::kL1, eps, image.data(), d).Project(&ours);
    const double brute = BruteForce(image, wanted, eps);
    EXPECT_LE(SquaredDistance(ours, wanted), brute + 1e-6) << trial;
    // The brute force found it too, or the test compares with nothing.
    EXPECT_GE(SquaredDistance(ours, wanted), brute - 2e-3) << trial;
  }
}

// There is one t >= 0, zero unless the ball binds, with: inside the box every value stops t short
// of where it wants to be, or does not move because it wants to go less than t; at the end of the
// box it wants at least t more.
TEST(L1Projection, MeetsTheConditionsOfTheOptimum) {
  std::mt19937 random(12);
  for (int trial = 0; trial < 200; ++trial) {
    const size_t d = 500;
    std::vector<float> image = Uniform(random, d, 0, 1);
    if (trial % 4 == 0) {
      for (float& value : image) value = std::round(value);
    }
    const float scale = std::pow(10.0F, static_cast<float>(trial % 5 - 3));
    std::vector<float> wanted = Uniform(random, d, -scale, scale);
    for (size_t i = 0; i < d; ++i) wanted[i] += image[i];
    const double eps = std::pow(10.0, trial % 7 - 4);
    std::vector<float> ours = wanted;
    Budget(Norm::kL1, eps, image.data(), d).Project(&ours);
    const double used = Distance(Norm::kL1, ours.data(), image.data(), d);
    EXPECT_LE(used, eps);
    double t = -1;
    for (size_t i = 0; i < d && t < 0; ++i) {
      const bool inner = ours[i] > 1e-6 && ours[i] < 1 - 1e-6;
      if (inner && std::abs(ours[i] - image[i]) > 1e-6) t = std::abs(wanted[i] - ours[i]);
    }
    if (t < 0) continue;  // every value at a corner: nothing to read t from
    if (t > 1e-5) {
      // Half a float32 rounding for each value.
      EXPECT_NEAR(used, eps, 3e-8 * d);
    }
    for (size_t i = 0; i < d; ++i) {
      ASSERT_GE(ours[i], 0.0F);
      ASSERT_LE(ours[i], 1.0F);
      const double wish = std::abs(wanted[i] - image[i]);
      const double left = std::abs(wanted[i] - ours[i]);
      if (ours[i] == image[i]) {
        const bool walled = (image[i] == 0 && wanted[i] <= 0) || (image[i] == 1 && wanted[i] >= 1);
        if (!walled) {
          EXPECT_LE(wish, t + 2e-6);
        }
      } else if (ours[i] > 0 && ours[i] < 1) {
        EXPECT_NEAR(left, t, 2e-6);
      } else {
        EXPECT_GE(left, t - 2e-6);
      }
      EXPECT_GE((wanted[i] - image[i]) * (ours[i] - image[i]), 0) << "never away from the wish";
    }
  }
}

TEST(L1Projection, LeavesItsOwnResultAlone) {
  std::mt19937 random(13);
  for (int trial = 0; trial < 100; ++trial) {
    const std::vector<float> image = Uniform(random, 300, 0, 1);
    std::vector<float> x = Uniform(random, 300, -1, 2);
    const Budget budget(Norm::kL1, std::pow(10.0, trial % 6 - 3), image.data(), image.size());
    budget.Project(&x);
    const std::vector<float> once = x;
    budget.Project(&x);
    EXPECT_EQ(x, once);
  }
}

// In the d-ball the radius has distribution (r / eps)^d, and every direction's sign is fair.
TEST(L1Budget, RandomPointsAreUniformInTheBall) {
  const std::vector<float> image(6, 0.5F);
  const double eps = 0.2;
  const Budget budget(Norm::kL1, eps, image.data(), image.size());
  const RandomKey key(1, "test");
  const int n = 4000;
  std::vector<double> radius, first;
  for (int i = 0; i < n; ++i) {
    RandomStream stream(key, i, 0);
    std::vector<float> x;
    budget.RandomPoint(stream, &x);
    radius.push_back(std::pow(Distance(Norm::kL1, x.data(), image.data(), 6) / eps, 6));
    // One coordinate u of the unit ball has P(|u| > s) = (1 - s)^6.
    const double u = (static_cast<double>(x[0]) - image[0]) / eps;
    const double tail = std::pow(1 - std::abs(u), 6) / 2;
    first.push_back(u > 0 ? 1 - tail : tail);
  }
  for (std::vector<double>* quantiles : {&radius, &first}) {
    std::sort(quantiles->begin(), quantiles->end());
    double worst = 0;
    for (int i = 0; i < n; ++i) {
      worst = std::max(worst, std::abs((*quantiles)[static_cast<size_t>(i)] - (i + 0.5) / n));
    }
    // Kolmogorov-Smirnov at the level 1e-4 is 2.23 / sqrt(n).
    EXPECT_LT(worst, 2.23 / std::sqrt(n));
  }
}

TEST(L1Budget, RandomBoundaryPointsUseTheWholeBudgetOnFewValues) {
  std::mt19937 random(14);
  const std::vector<float> image = Uniform(random, 1000, 0, 1);
  const Budget budget(Norm::kL1, 5, image.data(), image.size());
  const RandomKey key(1, "test");
  for (int i = 0; i < 20; ++i) {
    RandomStream stream(key, i, 0);
    std::vector<float> x;
    budget.RandomBoundaryPoint(stream, &x);
    EXPECT_NEAR(Distance(Norm::kL1, x.data(), image.data(), x.size()), 5, 1e-4);
    const double moved = Distance(Norm::kL0, x.data(), image.data(), x.size());
    EXPECT_GT(moved, 3);
    EXPECT_LT(moved, 200);
  }
}

TEST(L1Budget, AscendsByTheStepInTheNormAlongTheGradient) {
  const std::vector<float> image(4, 0.5F);
  const Budget budget(Norm::kL1, 1, image.data(), image.size());
  std::vector<float> x = image;
  budget.Ascend(std::vector<float>{3, -1, 0, 0}.data(), 0.4, &x);
  EXPECT_NEAR(x[0], 0.8, 1e-6);
  EXPECT_NEAR(x[1], 0.4, 1e-6);
  EXPECT_EQ(x[2], 0.5F);
  // Beyond the budget the projection takes the excess from every value alike.
  budget.Ascend(std::vector<float>{1, -1, 0, 0}.data(), 0.8, &x);
  EXPECT_NEAR(x[0], 1.0, 1e-6);
  EXPECT_NEAR(x[1], 0.0, 1e-6);
  const std::vector<float> before = x;
  budget.Ascend(std::vector<float>(4, 0.0F).data(), 0.4, &x);
  EXPECT_EQ(x, before);
}

// Its pyramids are smooth, and so are the weights here. In L1 the closed form spends all on one
// value, which windows of three pixels cannot, so only generous budgets must succeed.
TEST(SquareL1, FoolsASmoothLinearModelAndNeverBelowTheClosedForm) {
  LinearClassifier model({1, 12, 12}, 2, 8);
  model.SetRow(1, [](int row, int column) { return (row < 6) == (column < 6) ? 1.0F : -1.0F; });
  VectorSource samples(model, 30);
  std::vector<double> minima;
  for (size_t i = 0; i < samples.size(); ++i) {
    minima.push_back(model.MinimalEps(Norm::kL1, samples.images[i].data(), samples.labels[i]));
  }
  std::vector<double> sorted = minima;
  std::sort(sorted.begin(), sorted.end());
  const double eps = std::round(sorted[22] * 1e5) / 1e5;
  const auto conditions = ParseConditions({absl::StrCat("attack/square:norm=l1,eps=", eps)});
  ASSERT_TRUE(conditions.ok()) << conditions.status();
  QuietObserver observer;
  const auto outcomes = RunTask({conditions->at(0), 1, samples, model, observer});
  ASSERT_TRUE(outcomes.ok()) << outcomes.status();
  int successes = 0;
  for (size_t i = 0; i < outcomes->size(); ++i) {
    const v1::AttackOutcome& attack = outcomes->at(i).attack();
    if (attack.success()) {
      ++successes;
      EXPECT_GE(eps, minima[i]);
      EXPECT_LE(attack.distance(), eps * (1 + 1e-6));
    }
    if (eps > 2 * minima[i]) {
      EXPECT_TRUE(attack.success()) << i << " minimal " << minima[i];
    }
  }
  EXPECT_GT(successes, 8);
}

}  // namespace
}  // namespace assay::engine
