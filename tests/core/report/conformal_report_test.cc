// Reports of robust conformal sets, sample by sample from the definitions.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/statistics/conformal_sets.h"
#include "gmock/gmock.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

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
