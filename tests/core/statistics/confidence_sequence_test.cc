#include "core/statistics/confidence_sequence.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "boost/math/distributions/binomial.hpp"
#include "core/statistics/smoothing_certificate.h"
#include "core/statistics/statistics.h"
#include "gtest/gtest.h"

namespace assay {
namespace {

// The mean of L(q) / L(p0) over q beyond p0, by the midpoint rule. With q = sin^2 t the density of
// Beta(1/2, 1/2) is constant in t.
double Evidence(int64_t k, int64_t n, double p0, bool above) {
  const double from = above ? std::asin(std::sqrt(p0)) : 0;
  const double to = above ? std::acos(-1.0) / 2 : std::asin(std::sqrt(p0));
  constexpr int kSteps = 60000;
  double sum = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double t = from + (to - from) * (i + 0.5) / kSteps;
    const double q = std::sin(t) * std::sin(t);
    sum += std::exp(static_cast<double>(k) * std::log(q / p0) +
                    static_cast<double>(n - k) * std::log((1 - q) / (1 - p0)));
  }
  return sum / kSteps;
}

TEST(ConfidenceSequence, EvidenceIsTheMeanLikelihoodRatioOfOneSide) {
  for (const auto& [k, n] : {std::pair<int64_t, int64_t>{0, 1},
                             {1, 1},
                             {7, 10},
                             {10, 10},
                             {95, 100},
                             {400, 1000},
                             {999, 1000},
                             {1000, 1000}}) {
    for (const double p0 : {0.5, 0.8413, 0.9772, 0.99865}) {
      // Too far for a double.
      if (k == 400 && p0 > 0.9) continue;
      const double above = std::log(Evidence(k, n, p0, true));
      const double below = std::log(Evidence(k, n, p0, false));
      EXPECT_NEAR(LogEvidenceAbove(k, n, p0), above, 1e-4) << k << "/" << n << " " << p0;
      EXPECT_NEAR(LogEvidenceBelow(k, n, p0), below, 1e-4) << k << "/" << n << " " << p0;
    }
  }
}

// The exact probability that `reached(k, n)` is true at any of the first `draws` draws.
double EverProbability(double p, int draws, const std::function<bool(int, int)>& reached) {
  std::vector<double> at(static_cast<size_t>(draws) + 2);  // of k successes, not reached so far
  at[0] = 1;
  double ever = 0;
  for (int n = 1; n <= draws; ++n) {
    for (int k = n; k >= 0; --k) {
      const auto i = static_cast<size_t>(k);
      at[i] = at[i] * (1 - p) + (k > 0 ? at[i - 1] * p : 0);
      if (at[i] > 0 && reached(k, n)) {
        ever += at[i];
        at[i] = 0;
      }
    }
  }
  return ever;
}

TEST(ConfidenceSequence, LooksAtEveryDrawExceedTheLevelOnNeitherSide) {
  constexpr double kAlpha = 0.05;
  const double wanted = -std::log(kAlpha);
  for (const double p0 : {0.5, 0.8, 0.97}) {
    // At p0 and beyond it on the side where the claim is false.
    for (const double further : {0.0, 0.1}) {
      const double above = EverProbability(p0 * (1 - further), 200, [&](int k, int n) {
        return LogEvidenceAbove(k, n, p0) >= wanted;
      });
      EXPECT_LE(above, kAlpha) << p0;
      EXPECT_LE(EverProbability(p0 + further * (1 - p0), 200,
                                [&](int k, int n) { return LogEvidenceBelow(k, n, p0) >= wanted; }),
                kAlpha)
          << p0;
      // Of use, too.
      if (further == 0) {
        EXPECT_GT(above, kAlpha / 20) << p0;
      }
    }
  }
  // The same test finds out a bound that is meant for one look.
  EXPECT_GT(EverProbability(0.8, 200,
                            [&](int k, int n) { return ClopperPearsonLower(k, n, kAlpha) > 0.8; }),
            2 * kAlpha);
}

// mpmath 1.3, 25 digits: the p0 at which the mean of L(q) / L(p0) over q = sin^2 t, t uniform
// beyond p0, by quadrature of that integral, is 1/alpha.
TEST(ConfidenceSequence, EndsAreWhereTheEvidenceIsOneOverAlpha) {
  struct Case {
    int64_t k, n;
    double alpha, lower, upper;
  };
  for (const Case& c : {Case{1, 1, 0.025, 0.0134915469221, 1},
                        {5, 10, 0.025, 0.10589788101, 0.89410211899},
                        {10, 10, 0.025, 0.634884988458, 1},
                        {30, 100, 0.025, 0.161758876777, 0.462089400932},
                        {90, 100, 0.05, 0.789619109571, 0.970472315897},
                        {1, 1000, 0.01, 8.9264555775e-8, 0.00862382901538},
                        {600, 1000, 0.025, 0.542935416953, 0.656279651547},
                        {7000, 10000, 0.0125, 0.68117188347, 0.718954380294}}) {
    EXPECT_NEAR(SequenceLower(c.k, c.n, c.alpha) / c.lower, 1, 1e-9) << c.k << "/" << c.n;
    EXPECT_NEAR(SequenceUpper(c.k, c.n, c.alpha), c.upper, 1e-9) << c.k << "/" << c.n;
    if (2 * c.k > c.n && c.lower > 0.5) {
      EXPECT_NEAR(AnytimeLower(c.k, c.n, c.alpha), c.lower, 1e-9) << c.k << "/" << c.n;
    }
  }
  EXPECT_EQ(SequenceLower(0, 0, 0.025), 0);
  EXPECT_EQ(SequenceUpper(0, 0, 0.025), 1);
  EXPECT_EQ(SequenceLower(0, 1000, 0.025), 0);
  EXPECT_EQ(SequenceUpper(1000, 1000, 0.025), 1);
}

TEST(ConfidenceSequence, EvidenceFallsWhereItIsMoreThanTwo) {
  for (const int64_t n : {1, 2, 5, 30, 200, 3000}) {
    for (int64_t k = 1; k <= n; k += std::max<int64_t>(1, n / 17)) {
      double before = std::numeric_limits<double>::infinity();
      for (double p0 = 0.0005; p0 < 1; p0 += 0.0005) {
        const double evidence = LogEvidenceAbove(k, n, p0);
        EXPECT_TRUE(evidence < before || evidence < std::log(2.0)) << k << "/" << n << " " << p0;
        before = evidence;
      }
    }
  }
}

// Exactly, by the chances of every path: that an end is ever wrong in 400 draws.
TEST(ConfidenceSequence, EndsAreWrongAtAnyOfManyLooksAtMostAsOftenAsAlphaSays) {
  constexpr int kDraws = 400;
  for (const double alpha : {0.025, 0.005}) {
    for (const double p : {0.003, 0.1, 0.3, 0.5, 0.8, 0.99}) {
      const double lower =
          EverProbability(p, kDraws, [&](int k, int n) { return SequenceLower(k, n, alpha) > p; });
      const double upper =
          EverProbability(p, kDraws, [&](int k, int n) { return SequenceUpper(k, n, alpha) < p; });
      EXPECT_LE(lower, alpha) << p;
      EXPECT_LE(upper, alpha) << p;
      // Of use, too.
      EXPECT_GT(lower + upper, alpha / 20) << p;
    }
  }
}

// The price of looking at every sample: up to 2.02 times the width of the exact interval of one
// look.
TEST(ConfidenceSequence, EndsAreAboutTwiceAsFarApartAsThoseOfOneLook) {
  for (const int64_t n : {100, 1000, 10000}) {
    for (const double share : {0.1, 0.5, 0.9}) {
      const auto k = static_cast<int64_t>(share * static_cast<double>(n));
      const Interval one = ClopperPearson(k, n, 0.95);
      const double width = SequenceUpper(k, n, 0.025) - SequenceLower(k, n, 0.025);
      EXPECT_GT(width, one.upper - one.lower);
      EXPECT_LT(width, 2.1 * (one.upper - one.lower)) << k << "/" << n;
    }
  }
}

// The odds that the final count reaches p0 of the budget, without the approximation: the binomial
// chances of the draws to come, weighted by what the draws so far say.
double ExactPredictiveOdds(int64_t k, int64_t n, int64_t budget, double p0) {
  const auto needed = static_cast<int64_t>(std::ceil(p0 * static_cast<double>(budget) - 1e-9));
  const int64_t left = budget - n;
  double reached = 0, missed = 0;
  for (const bool above : {true, false}) {
    const double from = above ? std::asin(std::sqrt(p0)) : 0;
    const double to = above ? std::acos(-1.0) / 2 : std::asin(std::sqrt(p0));
    constexpr int kSteps = 4000;
    for (int i = 0; i < kSteps; ++i) {
      const double q = std::pow(std::sin(from + (to - from) * (i + 0.5) / kSteps), 2);
      const double weight = std::exp(static_cast<double>(k) * std::log(q / p0) +
                                     static_cast<double>(n - k) * std::log((1 - q) / (1 - p0)));
      if (weight < 1e-12) continue;
      const boost::math::binomial_distribution<double> rest(static_cast<double>(left), q);
      const double chance = needed <= k         ? 1
                            : needed - k > left ? 0
                                                : boost::math::cdf(boost::math::complement(
                                                      rest, static_cast<double>(needed - k - 1)));
      reached += weight * chance;
      missed += weight * (1 - chance);
    }
  }
  return std::log(reached / missed);
}

TEST(ConfidenceSequence, PredictiveOddsAreAboutThoseOfTheFinalShare) {
  for (const auto& [k, n, budget, p0] :
       {std::tuple<int64_t, int64_t, int64_t, double>{85, 100, 5000, 0.86},
        {75, 100, 5000, 0.86},
        {845, 1000, 5000, 0.86},
        {3410, 4000, 5000, 0.86},
        {3430, 4000, 5000, 0.86},
        {9860, 10000, 50000, 0.9888},
        {9870, 10000, 50000, 0.9888},
        {500, 500, 50000, 0.999}}) {
    // The step of the density at p0, which is sharp in the one and blurred in the other, moves odds
    // close to even by up to 1.
    const double exact = ExactPredictiveOdds(k, n, budget, p0);
    EXPECT_NEAR(LogPredictiveOdds(k, n, budget, p0), exact, 0.8 + 0.15 * std::abs(exact))
        << k << "/" << n << " of " << budget << " for " << p0;
  }
}

TEST(ConfidenceSequence, LowerBoundIsWhereTheEvidenceReachesTheLevel) {
  for (const double alpha : {0.5, 0.05, 0.001, 1e-6}) {
    for (const auto& [k, n] : {std::pair<int64_t, int64_t>{100, 100},
                               {990, 1000},
                               {700, 1000},
                               {99999, 100000},
                               {100000, 100000},
                               {60000, 100000}}) {
      const double lower = AnytimeLower(k, n, alpha);
      ASSERT_GT(lower, 0.5) << k << "/" << n;
      EXPECT_NEAR(LogEvidenceAbove(k, n, lower), -std::log(alpha), 1e-6) << k << "/" << n;
      // At all smaller values too, up to 1/2: what makes it a bound.
      double before = std::numeric_limits<double>::infinity();
      for (int i = 0; i <= 200; ++i) {
        const double log_evidence = LogEvidenceAbove(k, n, 0.5 + (lower - 0.5) * i / 200);
        EXPECT_LT(log_evidence, before);
        before = log_evidence;
      }
      // A bound that holds at all times cannot beat one for this time alone by much.
      EXPECT_LT(lower, ClopperPearsonLower(k, n, alpha));
    }
  }
  EXPECT_EQ(AnytimeLower(0, 10, 0.001), 0);
  EXPECT_EQ(AnytimeLower(500, 1000, 0.001), 0);
  EXPECT_EQ(AnytimeLower(520, 1000, 0.001), 0);
}

TEST(ConfidenceSequence, SmallestNIsTheFirstThatReachesTheProbability) {
  for (const double p0 : {0.5, 0.84134, 0.99865}) {
    const int64_t n = AnytimeSmallestN(p0, 0.001);
    EXPECT_GE(LogEvidenceAbove(n, n, p0), -std::log(0.001));
    EXPECT_LT(LogEvidenceAbove(n - 1, n - 1, p0), -std::log(0.001));
  }
}

// Of `samples` samples with probability p, those whose lower bound exceeded p at one of the looks.
int64_t Failures(double p, const std::vector<int64_t>& looks, int64_t samples,
                 const std::function<double(int64_t k, int64_t n)>& lower) {
  // The bound grows with k: the smallest k at which it fails, for each look.
  std::vector<int64_t> failing;
  for (const int64_t n : looks) {
    int64_t low = 0, high = n + 1;
    while (low < high) {
      const int64_t k = low + (high - low) / 2;
      (k <= n && lower(k, n) <= p) ? low = k + 1 : high = k;
    }
    failing.push_back(low);
  }
  std::mt19937_64 random(5);
  int64_t failures = 0;
  for (int64_t sample = 0; sample < samples; ++sample) {
    int64_t k = 0, n = 0;
    bool failed = false;
    for (size_t i = 0; i < looks.size() && !failed; ++i) {
      k += std::binomial_distribution<int64_t>(looks[i] - n, p)(random);
      n = looks[i];
      failed = k >= failing[i];
    }
    failures += failed ? 1 : 0;
  }
  return failures;
}

constexpr int64_t kSamples = 10'000;

// The expected number of failures and five standard deviations.
double Allowed(double alpha) {
  const double samples = static_cast<double>(kSamples);
  return samples * alpha + 5 * std::sqrt(samples * alpha * (1 - alpha));
}

TEST(Coverage, FixedBoundFailsNoMoreOftenThanAlphaAllows) {
  for (const double alpha : {0.01, 0.001}) {
    for (const double p : {0.6, 0.95, 0.999}) {
      EXPECT_LE(static_cast<double>(Failures(
                    p, {1000}, kSamples,
                    [&](int64_t k, int64_t n) { return ClopperPearsonLower(k, n, alpha); })),
                Allowed(alpha))
          << p;
    }
  }
  // The test finds out the normal approximation (2.326: its quantile at 0.01).
  EXPECT_GT(static_cast<double>(Failures(
                0.999, {1000}, kSamples,
                [](int64_t k, int64_t n) {
                  const double share = static_cast<double>(k) / static_cast<double>(n);
                  return share - 2.326 * std::sqrt(share * (1 - share) / static_cast<double>(n));
                })),
            Allowed(0.01));
}

TEST(Coverage, AnytimeBoundFailsNoMoreOftenThanAlphaAllowsAtAnyLook) {
  std::vector<int64_t> looks;
  for (int64_t n = 10; n <= 3000; n += n < 300 ? 10 : 100) looks.push_back(n);
  for (const double alpha : {0.01, 0.001}) {
    for (const double p : {0.6, 0.95, 0.999}) {
      const auto anytime = [&](int64_t k, int64_t n) { return AnytimeLower(k, n, alpha); };
      EXPECT_LE(static_cast<double>(Failures(p, looks, kSamples, anytime)), Allowed(alpha)) << p;
      const auto peeking = [&](int64_t k, int64_t n) { return ClopperPearsonLower(k, n, alpha); };
      // The test finds out the bound for one look at all looks (few are possible where p is high).
      if (p < 0.99) {
        EXPECT_GT(static_cast<double>(Failures(p, looks, kSamples, peeking)), Allowed(alpha)) << p;
      }
    }
  }
}

}  // namespace
}  // namespace assay
