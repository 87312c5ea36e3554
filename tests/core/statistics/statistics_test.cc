#include "core/statistics/statistics.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay::report {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

// P(low <= X <= high) for X binomial(n, p), summed term by term: shares nothing with the code under
// test.
double BinomialRange(int64_t n, double p, int64_t low, int64_t high) {
  long double term = std::pow(1.0L - p, static_cast<long double>(n));
  long double sum = 0;
  for (int64_t k = 0; k <= n; ++k) {
    if (k >= low && k <= high) sum += term;
    term *= static_cast<long double>(n - k) / static_cast<long double>(k + 1) * p / (1.0L - p);
  }
  return static_cast<double>(sum);
}

TEST(ClopperPearson, HasItsClosedFormsWhenNothingOrEverythingSucceeds) {
  for (int64_t n : {1, 7, 100, 10'000, 1'000'000}) {
    const double edge = std::pow(0.025, 1 / static_cast<double>(n));
    EXPECT_EQ(ClopperPearson(0, n, 0.95).lower, 0);
    EXPECT_NEAR(ClopperPearson(0, n, 0.95).upper, 1 - edge, 1e-15);
    EXPECT_NEAR(ClopperPearson(n, n, 0.95).lower, edge, 1e-15);
    EXPECT_EQ(ClopperPearson(n, n, 0.95).upper, 1);
  }
}

TEST(ClopperPearson, AgreesWithTabulatedIntervals) {
  // 95 % limits of 5 in 10 and 8 in 10: Geigy Scientific Tables, and binom.test of R.
  EXPECT_NEAR(ClopperPearson(5, 10, 0.95).lower, 0.1870860, 1e-7);
  EXPECT_NEAR(ClopperPearson(5, 10, 0.95).upper, 0.8129140, 1e-7);
  EXPECT_NEAR(ClopperPearson(8, 10, 0.95).lower, 0.4439045, 1e-7);
  EXPECT_NEAR(ClopperPearson(8, 10, 0.95).upper, 0.9747893, 1e-7);
}

TEST(ClopperPearson, LeavesExactlyHalfTheErrorInEachBinomialTail) {
  for (int64_t n : {2, 13, 100, 1000}) {
    for (int64_t k = 1; k < n; k += 1 + n / 17) {
      for (double confidence : {0.5, 0.95, 0.999}) {
        const Interval interval = ClopperPearson(k, n, confidence);
        const double half = (1 - confidence) / 2;
        EXPECT_NEAR(BinomialRange(n, interval.lower, k, n) / half, 1, 1e-9) << k << "/" << n;
        EXPECT_NEAR(BinomialRange(n, interval.upper, 0, k) / half, 1, 1e-9) << k << "/" << n;
      }
    }
  }
}

TEST(ClopperPearson, IsMirroredByCountingFailures) {
  for (int64_t k : {0, 1, 40, 99'999, 100'000}) {
    const Interval successes = ClopperPearson(k, 100'000, 0.99);
    const Interval failures = ClopperPearson(100'000 - k, 100'000, 0.99);
    EXPECT_NEAR(successes.lower, 1 - failures.upper, 1e-14);
    EXPECT_NEAR(successes.upper, 1 - failures.lower, 1e-14);
  }
}

TEST(FisherExact, AgreesWithTextbookExamples) {
  const FisherExact fisher(100);
  // The lady tasting tea (Fisher 1935): 3 of 4 cups right is 34/70 two-sided, 4 of 4 is 2/70.
  EXPECT_NEAR(fisher.TwoSidedPValue(3, 4, 1, 4), 34.0 / 70, 1e-12);
  EXPECT_NEAR(fisher.TwoSidedPValue(4, 4, 0, 4), 2.0 / 70, 1e-12);
  // Convictions of twins (Fisher 1962), fisher.test of R: 0.0005367.
  EXPECT_NEAR(fisher.TwoSidedPValue(2, 17, 10, 13), 0.0005367, 5e-8);
  // Whales in two oceans, the example of scipy.stats.fisher_exact: 0.0349650.
  EXPECT_NEAR(fisher.TwoSidedPValue(8, 10, 1, 6), 0.034965034965, 1e-11);
}

TEST(FisherExact, EqualsTheSumOverAllTablesAtMostAsLikely) {
  const FisherExact fisher(60);
  const auto choose = [](int n, int k) {
    double product = 1;
    for (int i = 1; i <= k; ++i) product = product * (n - k + i) / i;
    return std::round(product);
  };
  for (int n1 : {1, 5, 12, 20}) {
    for (int n2 : {1, 4, 12, 17}) {
      for (int k1 = 0; k1 <= n1; ++k1) {
        for (int k2 = 0; k2 <= n2; ++k2) {
          // Weights are whole numbers below 2^53, so that equally likely tables compare equal.
          const auto weight = [&](int x) {
            const int y = k1 + k2 - x;
            return x < 0 || y < 0 || x > n1 || y > n2 ? 0 : choose(n1, x) * choose(n2, y);
          };
          double extreme = 0, total = 0;
          for (int x = 0; x <= n1; ++x) {
            total += weight(x);
            if (weight(x) <= weight(k1)) extreme += weight(x);
          }
          EXPECT_NEAR(fisher.TwoSidedPValue(k1, n1, k2, n2), extreme / total, 1e-11)
              << k1 << "/" << n1 << " against " << k2 << "/" << n2;
        }
      }
    }
  }
}

TEST(FisherExact, KeepsTheMagnitudeOfTinyPValues) {
  // All of one group and none of the other: two tables of C(2000, 1000).
  const FisherExact fisher(2000);
  const double log_p = std::log(2) + 2 * std::lgamma(1001.0) - std::lgamma(2001.0);
  EXPECT_LT(fisher.TwoSidedPValue(500, 500, 0, 500), 1e-290);
  EXPECT_NEAR(std::log(fisher.TwoSidedPValue(500, 500, 0, 500)),
              std::log(2) + 2 * std::lgamma(501.0) - std::lgamma(1001.0), 1e-9);
  // Below the smallest double the answer is 0.
  EXPECT_LT(log_p, -745);
  EXPECT_EQ(fisher.TwoSidedPValue(1000, 1000, 0, 1000), 0);
}

TEST(FisherExact, SeesNoDifferenceWhereThereIsNone) {
  const FisherExact fisher(100);
  EXPECT_NEAR(fisher.TwoSidedPValue(5, 10, 5, 10), 1, 1e-12);
  EXPECT_NEAR(fisher.TwoSidedPValue(0, 10, 0, 7), 1, 1e-12);
  EXPECT_NEAR(fisher.TwoSidedPValue(10, 10, 7, 7), 1, 1e-12);
  EXPECT_EQ(fisher.TwoSidedPValue(0, 0, 7, 7), 1);
}

TEST(McNemar, IsTheSignTestOnDiscordantPairs) {
  EXPECT_DOUBLE_EQ(McNemarExactTwoSided(1, 9), 2 * 11 / 1024.0);
  EXPECT_DOUBLE_EQ(McNemarExactTwoSided(9, 1), 2 * 11 / 1024.0);
  EXPECT_DOUBLE_EQ(McNemarExactTwoSided(0, 5), 2 / 32.0);
  EXPECT_NEAR(McNemarExactTwoSided(59, 101), 2 * BinomialRange(160, 0.5, 0, 59), 1e-12);
  EXPECT_EQ(McNemarExactTwoSided(0, 0), 1);
  EXPECT_EQ(McNemarExactTwoSided(6, 6), 1);
  EXPECT_EQ(McNemarExactTwoSided(0, 1), 1);
}

TEST(Holm, AgreesWithPAdjustOfR) {
  // p.adjust(c(.01, .04, .03, .005), "holm").
  EXPECT_THAT(HolmAdjusted({0.01, 0.04, 0.03, 0.005}),
              ElementsAre(DoubleNear(0.03, 1e-15), DoubleNear(0.06, 1e-15), DoubleNear(0.06, 1e-15),
                          DoubleNear(0.02, 1e-15)));
  EXPECT_THAT(HolmAdjusted({0.9, 0.8}), ElementsAre(1, 1));
  EXPECT_TRUE(HolmAdjusted({}).empty());
}

TEST(Dkw, AgreesWithItsClosedForm) {
  // sqrt(ln(2 / .05) / 200) = .1358: the usual 1.36 / sqrt(n).
  EXPECT_NEAR(DkwHalfWidth(100, 0.05), 0.135810, 1e-6);
  EXPECT_DOUBLE_EQ(DkwOneSidedWidth(100, 0.025), DkwHalfWidth(100, 0.05));
}

TEST(BernsteinUpperShare, IsExceededNoMoreOftenThanPromised) {
  for (int64_t n : {20, 500, 10'000}) {
    for (double alpha : {0.001, 0.01, 0.1}) {
      for (double rho : {0.025, 0.001}) {
        const double limit = BernsteinUpperShare(n, alpha, rho) * static_cast<double>(n);
        const int64_t first_beyond = static_cast<int64_t>(std::floor(limit)) + 1;
        EXPECT_LE(BinomialRange(n, alpha, first_beyond, n), rho) << n << " " << alpha;
      }
    }
  }
}

TEST(Summaries, AreThoseOfAllValues) {
  EXPECT_DOUBLE_EQ(StandardDeviation({2, 4, 4, 4, 5, 5, 7, 9}), 2);
  EXPECT_EQ(StandardDeviation({}), 0);
  EXPECT_EQ(StandardDeviation({3}), 0);
  EXPECT_EQ(Mean({1, 2, 6}), 3);
  EXPECT_EQ(Median({9, 1, 5}), 5);
  EXPECT_EQ(Median({9, 1, 5, 2}), 3.5);
  EXPECT_EQ(Median({}), 0);
}

}  // namespace
}  // namespace assay::report
