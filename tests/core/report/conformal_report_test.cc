#include "core/report/conformal_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "gmock/gmock.h"
#include "outcomes.h"

namespace assay::report {
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

// --- the report

v1::Outcome Scored(int64_t sample, int label, const std::vector<float>& scores) {
  const auto best = std::min_element(scores.begin(), scores.end()) - scores.begin();
  v1::Outcome outcome = Predicted(sample, label, static_cast<int>(best));
  for (const float score : scores) {
    outcome.mutable_conformal()->add_scores(score);
    outcome.mutable_conformal()->add_variances(score * (1 - score) / 4);
  }
  return outcome;
}

ConditionOutcomes Conformal(const std::string& n, std::vector<v1::Outcome> outcomes,
                            const std::string& bound = "bernstein") {
  ConditionOutcomes condition;
  condition.condition.set_id("conformal/rscp/0.25/0.125");
  condition.condition.set_family("conformal");
  condition.condition.set_method("rscp");
  for (const auto& [name, value] :
       {std::pair{"sigma", "0.25"}, std::pair{"delta", "0.125"}, std::pair{"alpha", "0.1"},
        std::pair{"beta", "0.001"}, std::pair{"score", "hps"}, std::pair{"calibration", "0.5"},
        std::pair{"bound", bound.c_str()}}) {
    (*condition.condition.mutable_parameters())[name] = value;
  }
  (*condition.condition.mutable_parameters())["n"] = n;
  condition.outcomes = std::move(outcomes);
  return condition;
}

std::vector<v1::Outcome> RandomScores(int count) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform;
  std::vector<v1::Outcome> outcomes;
  for (int i = 0; i < count; ++i) {
    const int label = i % 3;
    std::vector<float> scores(3);
    for (float& score : scores) score = 0.4F + 0.6F * uniform(random);
    // Class 2 is harder.
    scores[static_cast<size_t>(label)] = (label == 2 ? 0.6F : 0.3F) * uniform(random);
    outcomes.push_back(Scored(i, label, scores));
  }
  return outcomes;
}

class ConformalReportOf : public ::testing::TestWithParam<const char*> {};

TEST_P(ConformalReportOf, FollowsTheDefinitionsSampleBySample) {
  const std::vector<v1::Outcome> outcomes = RandomScores(400);
  ReportInput input = Input(3, {Conformal("10000", outcomes, GetParam())});
  input.seed = 5;
  const v1::ConformalReport report = OnlyCondition(input).conformal();
  const auto error = [&](double score) {
    if (std::string(GetParam()) == "hoeffding") return std::sqrt(std::log(1000.0) / 20'000);
    return std::sqrt(2 * score * (1 - score) / 4 * std::log(2000.0) / 10'000) +
           7 * std::log(2000.0) / (3 * 9'999.0);
  };
  std::vector<double> calibration, corrected;
  for (const v1::Outcome& outcome : outcomes) {
    if (!Calibrates(5, outcome.sample(), 0.5)) continue;
    calibration.push_back(outcome.conformal().scores(outcome.label()));
    corrected.push_back(calibration.back() + error(calibration.back()));
  }
  std::sort(calibration.begin(), calibration.end());
  std::sort(corrected.begin(), corrected.end());
  const double m = static_cast<double>(calibration.size());
  const double threshold = corrected[static_cast<size_t>(std::ceil((m + 1) * 0.902)) - 1];
  const double plain = calibration[static_cast<size_t>(std::ceil((m + 1) * 0.9)) - 1];
  double errors = 0;
  int64_t tests = 0, covered = 0, labels = 0, plain_covered = 0, class_tests = 0, class_covered = 0;
  for (const v1::Outcome& outcome : outcomes) {
    if (Calibrates(5, outcome.sample(), 0.5)) continue;
    ++tests;
    class_tests += outcome.label() == 2 ? 1 : 0;
    plain_covered += outcome.conformal().scores(outcome.label()) <= plain ? 1 : 0;
    for (int k = 0; k < 3; ++k) {
      const double score = outcome.conformal().scores(k);
      errors += error(score);
      if (!InRobustSet(score - error(score), threshold, 0.5)) continue;
      ++labels;
      covered += k == outcome.label() ? 1 : 0;
      class_covered += k == 2 && outcome.label() == 2 ? 1 : 0;
    }
  }
  EXPECT_EQ(report.calibration_samples(), static_cast<int64_t>(calibration.size()));
  EXPECT_EQ(report.test_samples(), tests);
  EXPECT_NEAR(report.threshold(), threshold, 1e-7);
  EXPECT_EQ(report.bound(), GetParam());
  EXPECT_NEAR(report.mean_correction(), errors / static_cast<double>(3 * tests), 1e-7);
  EXPECT_EQ(report.coverage().numerator(), covered);
  EXPECT_EQ(report.coverage().denominator(), tests);
  EXPECT_DOUBLE_EQ(report.mean_set_size(),
                   static_cast<double>(labels) / static_cast<double>(tests));
  EXPECT_EQ(report.plain_coverage().numerator(), plain_covered);
  ASSERT_EQ(report.classes_size(), 3);
  EXPECT_EQ(report.classes(2).coverage().numerator(), class_covered);
  EXPECT_EQ(report.classes(2).coverage().denominator(), class_tests);
  // Something was left to decide, and the robust sets are the larger ones.
  EXPECT_LT(report.mean_set_size(), 3);
  EXPECT_GT(report.mean_set_size(), report.plain_mean_set_size());
  EXPECT_EQ(report.undefined_reason(), "");
}

INSTANTIATE_TEST_SUITE_P(Bounds, ConformalReportOf, ::testing::Values("bernstein", "hoeffding"));

TEST(ConformalReport, OrderAndMissingSamplesDoNotMoveTheSplit) {
  std::vector<v1::Outcome> outcomes = RandomScores(300);
  ReportInput forwards = Input(3, {Conformal("10000", outcomes)});
  std::reverse(outcomes.begin(), outcomes.end());
  ReportInput backwards = Input(3, {Conformal("10000", outcomes)});
  EXPECT_EQ(OnlyCondition(forwards).conformal().SerializeAsString(),
            OnlyCondition(backwards).conformal().SerializeAsString());
}

TEST(ConformalReport, TooFewSamplesSayNothing) {
  const v1::ConformalReport report =
      OnlyCondition(Input(3, {Conformal("256", RandomScores(8))})).conformal();
  EXPECT_THAT(report.undefined_reason(), ::testing::HasSubstr("too few"));
  EXPECT_FALSE(report.coverage().has_value());
  EXPECT_EQ(report.coverage().undefined_reason(), report.undefined_reason());
  EXPECT_FALSE(report.classes(0).coverage().has_value());
}

TEST(ConformalReport, OutcomesWithoutAScoreOrVarianceForEveryClassAreRefused) {
  for (const std::vector<float>& scores :
       {std::vector<float>{0.1F, 0.2F}, std::vector<float>{0.1F, 0.2F, 1.1F},
        std::vector<float>{0.1F, 0.2F, std::numeric_limits<float>::quiet_NaN()}}) {
    EXPECT_FALSE(BuildReport(Input(3, {Conformal("256", {Scored(0, 0, scores)})})).ok());
  }
  v1::Outcome outcome = Scored(0, 0, {0.1F, 0.2F, 0.3F});
  EXPECT_TRUE(BuildReport(Input(3, {Conformal("256", {outcome})})).ok());
  outcome.mutable_conformal()->clear_variances();
  EXPECT_FALSE(BuildReport(Input(3, {Conformal("256", {outcome})})).ok());
  EXPECT_TRUE(BuildReport(Input(3, {Conformal("256", {outcome}, "hoeffding")})).ok());
}

}  // namespace
}  // namespace assay::report
