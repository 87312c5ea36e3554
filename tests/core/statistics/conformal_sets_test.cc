#include "core/statistics/conformal_sets.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace assay {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double Phi(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

TEST(ConformalThreshold, IsTheRankOfTheFiniteSampleQuantile) {
  std::vector<double> scores = {0.5, 0.1, 0.9, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6};
  EXPECT_EQ(ConformalThreshold(scores, 0.1), 0.9);   // ceil(10 x 0.9) = 9
  EXPECT_EQ(ConformalThreshold(scores, 0.25), 0.8);  // ceil(7.5) = 8
  EXPECT_EQ(ConformalThreshold(scores, 0.5), 0.5);
  EXPECT_EQ(ConformalThreshold(scores, 0.09), kInfinity);
  EXPECT_EQ(ConformalThreshold({}, 0.1), kInfinity);
}

// Over many splits of exchangeable scores, coverage is rank / (m + 1): 10/11 here. The quantile
// without the extra sample would cover 9/11.
TEST(ConformalThreshold, CoversOneMoreExchangeableScore) {
  std::mt19937 random(1);
  std::exponential_distribution<double> scores;
  constexpr int kSplits = 20'000;
  int covered = 0;
  for (int split = 0; split < kSplits; ++split) {
    std::vector<double> calibration(10);
    for (double& score : calibration) score = scores(random);
    covered += scores(random) <= ConformalThreshold(calibration, 0.1) ? 1 : 0;
  }
  const double coverage = covered / static_cast<double>(kSplits);
  EXPECT_GE(coverage, 0.9);
  EXPECT_NEAR(coverage, 10.0 / 11, 4 * std::sqrt(0.1 * 0.9 / kSplits));
}

TEST(MonteCarloError, ByHoeffding) {
  EXPECT_NEAR(HoeffdingError(256, 0.001), 0.116154, 1e-6);
  EXPECT_NEAR(HoeffdingError(10'000, 0.001), 0.018585, 1e-6);
}

// ln(2000) = 7.600902.
TEST(MonteCarloError, ByBernstein) {
  EXPECT_NEAR(BernsteinError(0, 256, 0.001), 7 * 7.600902 / (3 * 255), 1e-6);
  EXPECT_NEAR(BernsteinError(0.04, 256, 0.001), 0.069550 + std::sqrt(2 * 0.04 * 7.600902 / 256),
              1e-6);
  EXPECT_NEAR(BernsteinError(0.01, 10'000, 0.001), 0.001774 + 0.003899, 1e-6);
}

// Values that are 0 or 1, where Bernstein's inequality is close to what can be said: the mean is
// that far below its expectation no more often than beta, and the term that the factor 2 under the
// root adds is of use.
TEST(MonteCarloError, BernsteinFailsNoMoreOftenThanBeta) {
  constexpr double kBeta = 0.05;
  constexpr int64_t kDraws = 2'000;
  constexpr int kRepetitions = 20'000;
  std::mt19937_64 random(2);
  for (const double p : {0.003, 0.05, 0.5}) {
    int failures = 0, without_factor = 0;
    for (int i = 0; i < kRepetitions; ++i) {
      const auto k = static_cast<double>(std::binomial_distribution<int64_t>(kDraws, p)(random));
      const double mean = k / kDraws, variance = mean * (1 - mean) * kDraws / (kDraws - 1);
      failures += p > mean + BernsteinError(variance, kDraws, kBeta) ? 1 : 0;
      without_factor += p > mean + std::sqrt(variance * std::log(2 / kBeta) / kDraws) ? 1 : 0;
    }
    EXPECT_LE(failures, kBeta * kRepetitions);
    // The test tells a bound that fails: the root without its factor, and nothing beside it.
    if (p == 0.003) {
      EXPECT_GT(without_factor, kBeta * kRepetitions);
    }
  }
}

TEST(InRobustSet, ByHand) {
  // Phi^-1(0.6) = 0.253347, Phi^-1(0.4) = -0.253347: a shift of 0.506694 joins them.
  EXPECT_TRUE(InRobustSet(0.6, 0.4, 0.5067));
  EXPECT_FALSE(InRobustSet(0.6, 0.4, 0.5066));
  EXPECT_TRUE(InRobustSet(0.5, 0.5, 0));
  EXPECT_FALSE(InRobustSet(0.5001, 0.5, 0));
  // Nothing that the correction takes below 0 is left out, and nothing at all where it takes the
  // threshold to 1.
  EXPECT_TRUE(InRobustSet(-0.05, 0.001, 0));
  EXPECT_TRUE(InRobustSet(0.9, 1.05, 0));
  EXPECT_FALSE(InRobustSet(1, 0.5, 100));
}

// One label, whose score under noise is the indicator of x + noise > 0, so that its smoothed score
// is Phi(x / sigma): the steepest that there can be. The attacker moves every x by delta upwards.
struct Attacked {
  double with_all = 0, without_distance = 0, without_monte_carlo = 0, exact = 0;
};

Attacked Simulate(bool bernstein, int64_t n, double mean, double spread) {
  constexpr double kSigma = 0.25, kDelta = 0.125, kAlpha = 0.1, kBeta = 0.001;
  constexpr int kRepetitions = 150, kCalibration = 400, kTest = 200;
  std::mt19937 random(7);
  std::normal_distribution<double> xs(mean, spread);
  // Of a mean of indicators, whose sample variance follows from it.
  const auto error = [&](double share) {
    const double draws = static_cast<double>(n);
    return bernstein ? BernsteinError(share * (1 - share) * draws / (draws - 1), n, kBeta)
                     : HoeffdingError(n, kBeta);
  };
  const auto estimate = [&](double smoothed) {
    return static_cast<double>(std::binomial_distribution<int64_t>(n, smoothed)(random)) /
           static_cast<double>(n);
  };
  Attacked covered;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    std::vector<double> estimates, corrected, exact;
    for (int i = 0; i < kCalibration; ++i) {
      exact.push_back(Phi(xs(random) / kSigma));
      estimates.push_back(estimate(exact.back()));
      corrected.push_back(estimates.back() + error(estimates.back()));
    }
    const double threshold = ConformalThreshold(corrected, kAlpha - 2 * kBeta);
    const double plain = ConformalThreshold(estimates, kAlpha);
    const double exact_threshold = ConformalThreshold(exact, kAlpha);
    for (int i = 0; i < kTest; ++i) {
      const double moved = Phi((xs(random) + kDelta) / kSigma);
      const double score = estimate(moved);
      const double share = 1.0 / (kRepetitions * kTest);
      const double lower = score - error(score);
      covered.with_all += InRobustSet(lower, threshold, kDelta / kSigma) ? share : 0;
      covered.without_distance += InRobustSet(lower, threshold, 0) ? share : 0;
      covered.without_monte_carlo += InRobustSet(score, plain, kDelta / kSigma) ? share : 0;
      covered.exact += InRobustSet(moved, exact_threshold, kDelta / kSigma) ? share : 0;
    }
  }
  return covered;
}

TEST(RobustSets, KeepTheirCoverageUnderTheWorstShift) {
  for (const bool bernstein : {false, true}) {
    // Scores that differ by little but what so few draws make of them.
    const Attacked few = Simulate(bernstein, 64, 0.2, 0.01);
    EXPECT_GE(few.with_all, 0.9);
    EXPECT_LT(few.without_monte_carlo, 0.88);
    const Attacked many = Simulate(bernstein, 4'096, -0.3, 0.2);
    EXPECT_GE(many.with_all, 0.9);
    EXPECT_LT(many.with_all, 0.96);
    EXPECT_LT(many.without_distance, 0.83);
    // With known scores and the steepest score there is nothing to spare.
    EXPECT_NEAR(many.exact, 0.9, 0.01);
  }
}

TEST(Calibrates, IsARandomShareThatTheSeedMoves) {
  int chosen = 0, same = 0;
  for (int64_t sample = 0; sample < 10'000; ++sample) {
    chosen += Calibrates(1, sample, 0.3) ? 1 : 0;
    same += Calibrates(1, sample, 0.3) == Calibrates(2, sample, 0.3) ? 1 : 0;
    // A larger share keeps those of a smaller one.
    if (Calibrates(1, sample, 0.3)) {
      EXPECT_TRUE(Calibrates(1, sample, 0.5));
    }
  }
  EXPECT_NEAR(chosen, 3'000, 5 * std::sqrt(10'000 * 0.3 * 0.7));
  EXPECT_NEAR(same, 5'800, 5 * std::sqrt(10'000 * 0.58 * 0.42));
}

}  // namespace
}  // namespace assay
