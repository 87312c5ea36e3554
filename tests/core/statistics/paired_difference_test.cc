#include "core/statistics/paired_difference.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace assay {
namespace {

// How often each end is wrong: the exact sum over all tables of n pairs, of which a share p10 only
// the first has right and p01 only the second. Shares nothing with the code under test.
std::pair<double, double> WrongEnds(int64_t n, double p10, double p01, double level) {
  std::vector<double> log_factorial(static_cast<size_t>(n) + 1, 0);
  for (size_t i = 1; i < log_factorial.size(); ++i) {
    log_factorial[i] = log_factorial[i - 1] + std::log(static_cast<double>(i));
  }
  const auto log_power = [](double p, int64_t k) {
    return k == 0 ? 0 : static_cast<double>(k) * std::log(p);
  };
  double below = 0, above = 0;
  for (int64_t b = 0; b <= n; ++b) {
    for (int64_t c = 0; b + c <= n; ++c) {
      const int64_t rest = n - b - c;
      const double probability = std::exp(
          log_factorial[static_cast<size_t>(n)] - log_factorial[static_cast<size_t>(b)] -
          log_factorial[static_cast<size_t>(c)] - log_factorial[static_cast<size_t>(rest)] +
          log_power(p10, b) + log_power(p01, c) + log_power(1 - p10 - p01, rest));
      const Interval interval = PairedDifference(static_cast<double>(b), static_cast<double>(c),
                                                 static_cast<double>(n), level);
      if (interval.upper < p10 - p01) above += probability;
      if (interval.lower > p10 - p01) below += probability;
    }
  }
  return {below, above};
}

TEST(PairedDifference, EachEndIsWrongNoMoreOftenThanPromised) {
  for (int64_t n : {1, 5, 17, 40}) {
    for (double level : {0.8, 0.95}) {
      for (double p10 : {0.0, 0.01, 0.05, 0.2, 0.5, 0.9}) {
        for (double p01 : {0.0, 0.02, 0.1, 0.3, 0.5}) {
          if (p10 + p01 > 0.99) continue;
          const auto [below, above] = WrongEnds(n, p10, p01, level);
          EXPECT_LE(below, (1 - level) / 2) << n << " " << p10 << " " << p01 << " " << level;
          EXPECT_LE(above, (1 - level) / 2) << n << " " << p10 << " " << p01 << " " << level;
        }
      }
    }
  }
}

// No valid interval can be much narrower than Wald's, and one that is much wider is of no use.
TEST(PairedDifference, IsNotMuchWiderThanTheApproximation) {
  for (const auto& [b, c] : std::vector<std::pair<double, double>>{{250, 250}, {600, 400}}) {
    const Interval interval = PairedDifference(b, c, 10'000, 0.95);
    const auto difference = static_cast<double>(b - c);
    const double wald =
        2 * 1.96 * std::sqrt(static_cast<double>(b + c) - difference * difference / 1e4) / 1e4;
    EXPECT_GT((interval.upper - interval.lower) / wald, 1);
    EXPECT_LT((interval.upper - interval.lower) / wald, 1.35);
  }
}

TEST(PairedDifference, AgreesWithMcNemarsTestAtNoDifference) {
  for (int b = 0; b <= 40; ++b) {
    const bool decided = PairedDifference(b, 20, 500, 0.95).lower > 0 ||
                         PairedDifference(b, 20, 500, 0.95).upper < 0;
    EXPECT_EQ(decided, McNemarExactTwoSided(b, 20) < 0.045) << b;
  }
}

TEST(PairedDifference, HasItsClosedFormWhereNoSampleDiffers) {
  const double edge = 1 - std::pow(0.00125, 1.0 / 1000);
  EXPECT_NEAR(PairedDifference(0, 0, 1000, 0.95).lower, -edge, 1e-15);
  EXPECT_NEAR(PairedDifference(0, 0, 1000, 0.95).upper, edge, 1e-15);
}

// Its formula, with beta.ppf of scipy 1.17.
TEST(PairedDifference, IsMadeOfTheIntervalsOfItsParts) {
  EXPECT_NEAR(PairedDifference(8, 22, 300, 0.95).lower, -0.123562269834619, 1e-9);
  EXPECT_NEAR(PairedDifference(8, 22, 300, 0.95).upper, -0.004060948833770, 1e-9);
  EXPECT_NEAR(PairedDifference(5, 5, 300, 0.95).lower, -0.049182282489672, 1e-9);
  EXPECT_NEAR(PairedDifference(5, 5, 300, 0.95).upper, 0.049182282489672, 1e-9);
}

TEST(PairedDifference, IsMirroredByExchangingTheTwo) {
  const Interval one = PairedDifference(31, 12, 300, 0.9),
                 other = PairedDifference(12, 31, 300, 0.9);
  EXPECT_NEAR(one.lower, -other.upper, 1e-12);
  EXPECT_NEAR(one.upper, -other.lower, 1e-12);
}

TEST(SeparateDifference, TakesTheUnfavourableEnds) {
  const Interval difference = SeparateDifference({0.4, 0.6}, {0.3, 0.5}, 0.5);
  EXPECT_DOUBLE_EQ(difference.lower, 0.15);
  EXPECT_DOUBLE_EQ(difference.upper, 0.45);
  EXPECT_DOUBLE_EQ(LevelOfEach(2, 0.95), 0.975);
}

}  // namespace
}  // namespace assay
