#include "core/statistics/paired_difference.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace assay {
namespace {

// P(X1 = x1, X2 = x2) of a multinomial, by its definition.
double Probability(int n, int x1, int x2, double p1, double p2) {
  const double p0 = 1 - p1 - p2;
  const int x0 = n - x1 - x2;
  if (p0 < -1e-12) return 0;
  const auto power = [](double p, int x) { return x == 0 ? 1 : std::pow(std::max(p, 0.0), x); };
  return std::exp(std::lgamma(n + 1.0) - std::lgamma(x0 + 1.0) - std::lgamma(x1 + 1.0) -
                  std::lgamma(x2 + 1.0)) *
         power(p0, x0) * power(p1, x1) * power(p2, x2);
}

struct Misses {
  double below = 0;  // the difference is below the interval
  double above = 0;
};

// Over everything that n samples can give: how often the interval misses p1 - p2.
Misses ExactMisses(const std::vector<std::vector<Interval>>& intervals, int n, double p1,
                   double p2) {
  Misses misses;
  const double difference = p1 - p2;
  for (int x1 = 0; x1 <= n; ++x1) {
    for (int x2 = 0; x1 + x2 <= n; ++x2) {
      const Interval& interval = intervals[static_cast<size_t>(x1)][static_cast<size_t>(x2)];
      const double probability = Probability(n, x1, x2, p1, p2);
      if (difference < interval.lower - 1e-9) misses.below += probability;
      if (difference > interval.upper + 1e-9) misses.above += probability;
    }
  }
  return misses;
}

TEST(PairedDifference, MissesNoMoreOftenThanItSaysOnEitherSideWhateverTheProbabilities) {
  for (const double level : {0.8, 0.95, 0.99}) {
    for (const int n : {1, 2, 3, 5, 8, 13, 25}) {
      std::vector<std::vector<Interval>> intervals;
      for (int x1 = 0; x1 <= n; ++x1) {
        intervals.emplace_back();
        for (int x2 = 0; x1 + x2 <= n; ++x2) {
          intervals.back().push_back(PairedDifferenceInterval(x1, x2, n, level));
        }
      }
      double most = 0;
      constexpr int kGrid = 60;
      for (int i = 0; i <= kGrid; ++i) {
        for (int j = 0; i + j <= kGrid; ++j) {
          const double p1 = static_cast<double>(i) / kGrid, p2 = static_cast<double>(j) / kGrid;
          const Misses misses = ExactMisses(intervals, n, p1, p2);
          EXPECT_LE(misses.below, (1 - level) / 2 + 1e-10) << n << " " << p1 << " " << p2;
          EXPECT_LE(misses.above, (1 - level) / 2 + 1e-10) << n << " " << p1 << " " << p2;
          most = std::max({most, misses.below, misses.above});
        }
      }
      // And not because it says nothing.
      if (n >= 8) {
        EXPECT_GT(most, (1 - level) / 2 * 0.5) << n;
      }
    }
  }
}

TEST(PairedDifference, HasItsClosedFormWhereEverySampleIsDiscordantTheSameWay) {
  // The bound of p1 + p2 is 1 then, where n of n have probability ((1 + delta) / 2)^n.
  for (const int n : {1, 7, 100, 10'000}) {
    const double alpha = 0.025 * 0.98;
    EXPECT_NEAR(PairedDifferenceInterval(n, 0, n, 0.95).lower, 2 * std::pow(alpha, 1.0 / n) - 1,
                3e-5);
    EXPECT_EQ(PairedDifferenceInterval(n, 0, n, 0.95).upper, 1);
    EXPECT_EQ(PairedDifferenceInterval(0, n, n, 0.95).lower, -1);
  }
}

TEST(PairedDifference, AgreesWithABruteForceSearch) {
  // Tails summed with binom of scipy 1.17.1, their largest over 400 values of p1 + p2, brentq.
  struct Case {
    int64_t first, second, n;
    double lower, upper;
  };
  for (const Case& c : {Case{5, 2, 50, -0.113707204, 0.224261356},
                        {31, 12, 500, 0.004685588, 0.070375500},
                        {0, 0, 40, -0.129346495, 0.129346495},
                        {3, 20, 30, -0.803144568, -0.217721719},
                        {12, 0, 15, 0.338824526, 0.971661153}}) {
    const Interval interval = PairedDifferenceInterval(c.first, c.second, c.n, 0.95);
    EXPECT_NEAR(interval.lower, c.lower, 5e-5) << c.first << " " << c.second;
    EXPECT_NEAR(interval.upper, c.upper, 5e-5) << c.first << " " << c.second;
  }
}

// From the plain sum of all terms of every tail, before a part of them decided.
TEST(PairedDifference, AgreesWithSumsOfAllTerms) {
  struct Case {
    int64_t only_first, only_second, n;
    double level, lower, upper;
  };
  const std::vector<Case> cases = {
      {11, 1, 20, 0.95, 0.063978813830803241, 0.78517854201040627},
      {11, 1, 20, 0.999, -0.23423924691693179, 0.89515498960379869},
      {40, 111, 300, 0.95, -0.31904304137499229, -0.1490327265005279},
      {40, 111, 300, 0.999, -0.373369514848919, -0.086255438491868147},
      {112, 90, 1000, 0.95, -0.0093908598867476281, 0.053195225899154361},
      {112, 90, 1000, 0.999, -0.031529222950102055, 0.074984973901280921},
      {731, 115, 1000, 0.95, 0.56953861824569585, 0.65868012264617359},
      {731, 115, 1000, 0.999, 0.53622250584896758, 0.6859581916992078},
      {1355, 881, 10000, 0.95, 0.037781696359493216, 0.056975740685673779},
      {1355, 881, 10000, 0.999, 0.031169293301059421, 0.063509201840635493},
      {0, 7, 50, 0.95, -0.29402869285330613, 0.036346188349883984},
      {0, 7, 50, 0.999, -0.39242719718444385, 0.16748859235600244}};
  for (const Case& c : cases) {
    const Interval interval = PairedDifferenceInterval(c.only_first, c.only_second, c.n, c.level);
    EXPECT_NEAR(interval.lower, c.lower, 1e-13) << c.only_first << " " << c.n << " " << c.level;
    EXPECT_NEAR(interval.upper, c.upper, 1e-13) << c.only_first << " " << c.n << " " << c.level;
  }
}

TEST(PairedDifference, AnEstimateIsTheIntervalUpToWhatIsProven) {
  struct Case {
    int64_t first, second, n;
  };
  for (const Case& c : {Case{5, 2, 50}, Case{3, 20, 30}, Case{31, 12, 500}, Case{0, 0, 40},
                        Case{1000, 1000, 10'000}, Case{900, 2500, 50'000}}) {
    const Interval proven = PairedDifferenceInterval(c.first, c.second, c.n, 0.95);
    const Interval estimate = PairedDifferenceEstimate(c.first, c.second, c.n, 0.95);
    EXPECT_GE(estimate.lower, proven.lower) << c.first;
    EXPECT_LE(estimate.upper, proven.upper) << c.first;
    EXPECT_NEAR(estimate.lower, proven.lower, 2e-4) << c.first;
    EXPECT_NEAR(estimate.upper, proven.upper, 2e-4) << c.first;
  }
}

TEST(PairedDifference, AnEstimateOfMillionsOfSamplesIsTheNormalInterval) {
  // 1.959964 * sqrt(0.8 / 1e7), within some percent.
  const Interval estimate = PairedDifferenceEstimate(4'000'000, 4'000'000, 10'000'000, 0.95);
  EXPECT_NEAR(estimate.upper, 5.5436e-4, 0.03 * 5.5436e-4);
  EXPECT_EQ(estimate.lower, -estimate.upper);
}

TEST(PairedDifference, IsMirroredByExchangingTheTwo) {
  const Interval here = PairedDifferenceInterval(31, 12, 500, 0.95);
  const Interval there = PairedDifferenceInterval(12, 31, 500, 0.95);
  EXPECT_DOUBLE_EQ(here.lower, -there.upper);
  EXPECT_DOUBLE_EQ(here.upper, -there.lower);
}

TEST(PairedDifference, ContainsTheObservedDifferenceAndNarrowsWithSamples) {
  double width = 2;
  for (const int64_t n : {10, 100, 1000, 10'000, 100'000}) {
    const Interval interval = PairedDifferenceInterval(n * 2 / 10, n / 10, n, 0.95);
    EXPECT_LT(interval.lower, 0.1);
    EXPECT_GT(interval.upper, 0.1);
    EXPECT_LT(interval.upper - interval.lower, width);
    width = interval.upper - interval.lower;
  }
}

TEST(PairedDifference, ComesCloseToTheNormalIntervalWithManySamples) {
  // Where that one is good: the mean of n values with variance p1 + p2 - (p1 - p2)^2.
  struct Case {
    int64_t first, second, n;
  };
  for (const Case& c : {Case{1000, 1000, 10'000}, Case{2000, 0, 10'000}, Case{900, 2500, 50'000}}) {
    const double n = static_cast<double>(c.n);
    const double p1 = static_cast<double>(c.first) / n, p2 = static_cast<double>(c.second) / n;
    const double half = 1.959964 * std::sqrt((p1 + p2 - (p1 - p2) * (p1 - p2)) / n);
    const Interval interval = PairedDifferenceInterval(c.first, c.second, c.n, 0.95);
    EXPECT_GT(p1 - p2 - interval.lower, half) << c.first;
    EXPECT_LT(p1 - p2 - interval.lower, 1.08 * half + (c.second == 0 ? 0.15 * half : 0)) << c.first;
  }
}

TEST(PairedDifference, WithoutDiscordantSamplesIsAboutAsWideAsTheirBound) {
  // 0 of 10,000: each probability alone is at most 3.7e-4 at this level.
  const Interval interval = PairedDifferenceInterval(0, 0, 10'000, 0.95);
  EXPECT_EQ(interval.lower, -interval.upper);
  EXPECT_GT(interval.upper, 3.6e-4);
  EXPECT_LT(interval.upper, 8.5e-4);
}

}  // namespace
}  // namespace assay
