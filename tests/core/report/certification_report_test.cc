// Certified accuracy, radii and p_A from counts made by hand.
#include <cmath>
#include <numeric>
#include <vector>

#include "core/base/errors.h"
#include "core/statistics/smoothing_certificate.h"
#include "core/statistics/statistics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using ::testing::ElementsAre;

// k of n draws for class 0, the rest for class 1, selected by unanimous votes for class 0.
v1::Outcome Agreeing(int64_t sample, int label, int64_t k, int64_t n) {
  return Smoothed(sample, label, {100}, {k, n - k});
}

// Standard normal distribution function.
double Phi(double x) { return std::erfc(-x / std::sqrt(2)) / 2; }

// The table of golden values: alpha = .001, sigma = 1.
TEST(CertificationReport, RadiiAgreeWithTheGoldenTable) {
  struct Row {
    int64_t k, n;
    double radius;  // -1: abstain
  };
  const std::vector<Row> rows = {{100, 100, 1.500475},     {99, 100, 1.349259},
                                 {990, 1000, 1.978010},    {999, 1000, 2.357651},
                                 {1000, 1000, 2.463263},   {9900, 10000, 2.212420},
                                 {10000, 10000, 3.198578}, {100000, 100000, 3.811457},
                                 {510, 1000, -1},          {549, 1000, -1},
                                 {550, 1000, 0.001694},    {560, 1000, 0.026864},
                                 {10, 10, 0.002976},       {9, 10, -1}};
  for (const Row& row : rows) {
    const v1::ConditionReport report = OnlyCondition(
        Input(2, {Smoothing("1", 100, row.n, "0.001", {Agreeing(0, 0, row.k, row.n)})}));
    const v1::CertificationReport& certification = report.certification();
    EXPECT_EQ(certification.abstentions(), row.radius < 0 ? 1 : 0) << row.k << "/" << row.n;
    EXPECT_NEAR(certification.average_certified_radius(), std::max(0.0, row.radius), 1e-6)
        << row.k << "/" << row.n;
  }
}

TEST(CertificationReport, AbstentionsAreErrorsInTheirOwnColumn) {
  const v1::ConditionReport report =
      OnlyCondition(Input(2, {Smoothing("0.5", 100, 1000, "0.001",
                                        {Agreeing(0, 0, 1000, 1000), Agreeing(1, 0, 520, 1000),
                                         Agreeing(2, 1, 990, 1000), Agreeing(3, 1, 500, 1000)})}));
  EXPECT_TRUE(report.has_abstain_column());
  EXPECT_THAT(report.confusion_matrix(0).counts(), ElementsAre(1, 0, 1));
  EXPECT_THAT(report.confusion_matrix(1).counts(), ElementsAre(1, 0, 1));
  EXPECT_EQ(report.correct(), 1);
  // One sample was taken for another class; abstaining takes it for none.
  EXPECT_EQ(report.classes(0).cfps().numerator(), 1);
  EXPECT_EQ(report.classes(0).cfps().denominator(), 1);
  EXPECT_EQ(report.certification().abstentions(), 2);
  EXPECT_DOUBLE_EQ(report.certification().abstention_rate().value(), 0.5);
  EXPECT_EQ(report.classes(1).certification().abstentions(), 1);
  EXPECT_FALSE(report.classes(1).has_strongest_confusion() &&
               report.classes(1).strongest_confusion().index() == 2);
}

TEST(CertificationReport, CreditsRadiiOnlyToTheLabel) {
  // Radii / sigma from the golden table: 2.463263 correct, 1.978010 of the wrong class, one
  // abstention.
  const v1::ConditionReport report =
      OnlyCondition(Input(2, {Smoothing("1/2", 100, 1000, "0.001",
                                        {Agreeing(0, 0, 1000, 1000), Agreeing(1, 1, 990, 1000),
                                         Agreeing(2, 0, 520, 1000)})}));
  const v1::CertificationReport& certification = report.certification();
  EXPECT_EQ(certification.sigma(), 0.5);
  EXPECT_EQ(certification.n0(), 100);
  EXPECT_EQ(certification.n(), 1000);
  EXPECT_EQ(certification.alpha(), 0.001);
  EXPECT_NEAR(certification.average_certified_radius(), 0.5 * 2.463263 / 3, 1e-6);
  EXPECT_EQ(certification.median_radius(), 0);
  EXPECT_NEAR(certification.radius_cap(), 0.5 * 2.463263, 1e-6);
  EXPECT_EQ(certification.share_at_cap().numerator(), 1);
  EXPECT_EQ(certification.share_at_cap().denominator(), 3);
  EXPECT_EQ(certification.draws(), 3 * 1100);
  const v1::ClassCertificationReport& first = report.classes(0).certification();
  EXPECT_NEAR(first.average_certified_radius(), 0.5 * 2.463263 / 2, 1e-6);
  EXPECT_NEAR(first.median_radius(), 0.5 * 2.463263 / 2, 1e-6);
  EXPECT_EQ(report.classes(1).certification().average_certified_radius(), 0);
}

TEST(CertificationReport, AWrongClassAtTheCapIsNotAtTheCap) {
  const v1::ConditionReport report =
      OnlyCondition(Input(2, {Smoothing("1", 100, 1000, "0.001", {Agreeing(0, 1, 1000, 1000)})}));
  EXPECT_EQ(report.certification().share_at_cap().numerator(), 0);
}

TEST(CertificationReport, TheCapIsWhereTheBudgetPutsIt) {
  // Phi(cap / sigma)^n = alpha.
  const v1::CertificationReport report =
      OnlyCondition(
          Input(2, {Smoothing("0.25", 100, 10000, "0.001", {Agreeing(0, 0, 9000, 10000)})}))
          .certification();
  EXPECT_NEAR(std::pow(Phi(report.radius_cap() / 0.25), 10000), 0.001, 1e-9);
  // Nine draws at alpha = .001 can only abstain.
  const v1::CertificationReport hopeless =
      OnlyCondition(Input(2, {Smoothing("0.25", 100, 9, "0.001", {Agreeing(0, 0, 9, 9)})}))
          .certification();
  EXPECT_EQ(hopeless.radius_cap(), 0);
  EXPECT_EQ(hopeless.share_at_cap().numerator(), 0);
  EXPECT_EQ(hopeless.abstentions(), 1);
}

TEST(CertificationReport, CurveStepsByAQuarterOfSigmaPastTheCapAndStopsAtTheLargestRadius) {
  const v1::CertificationReport report =
      OnlyCondition(Input(2, {Smoothing("1", 100, 1000, "0.001",
                                        {Agreeing(0, 0, 1000, 1000), Agreeing(1, 0, 990, 1000),
                                         Agreeing(2, 0, 560, 1000), Agreeing(3, 1, 990, 1000)})}))
          .certification();
  std::vector<double> radii;
  std::vector<int64_t> counts;
  for (const v1::CertifiedPoint& point : report.curve()) {
    radii.push_back(point.radius());
    counts.push_back(point.accuracy().numerator());
    EXPECT_EQ(point.accuracy().denominator(), 4);
  }
  EXPECT_THAT(radii, ElementsAre(0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.25,
                                 ::testing::DoubleNear(2.463263, 1e-6), 2.5));
  EXPECT_THAT(counts, ElementsAre(3, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 0));
}

TEST(CertificationReport, SimultaneousBandPaysForSamplingAndForFailedCertificates) {
  std::vector<v1::Outcome> outcomes;
  for (int i = 0; i < 500; ++i) outcomes.push_back(Agreeing(i, i < 400 ? 0 : 1, 1000, 1000));
  const v1::ConditionReport report =
      OnlyCondition(Input(2, {Smoothing("1", 100, 1000, "0.001", outcomes)}));
  const double log_term = std::log(1 / 0.025);
  const double failed =
      0.001 + std::sqrt(2 * 0.001 * 0.999 * log_term / 500) + log_term / (3 * 500);
  const double sampling = std::sqrt(log_term / (2 * 500));
  const v1::CertifiedPoint& start = report.certification().curve(0);
  EXPECT_DOUBLE_EQ(start.accuracy().value(), 0.8);
  EXPECT_NEAR(start.simultaneous_lower(), 0.8 - failed - sampling, 1e-12);
  EXPECT_LT(start.simultaneous_lower(), start.accuracy().lower());
  const auto& curve = report.certification().curve();
  EXPECT_EQ(curve.rbegin()->accuracy().value(), 0);
  EXPECT_EQ(curve.rbegin()->simultaneous_lower(), 0);
  // A class has fewer samples, so a wider margin.
  const v1::CertifiedPoint& of_class = report.classes(0).certification().curve(0);
  EXPECT_DOUBLE_EQ(of_class.accuracy().value(), 1);
  EXPECT_NEAR(of_class.simultaneous_lower(),
              1 - 0.001 - std::sqrt(2 * 0.001 * 0.999 * log_term / 400) - log_term / 1200 -
                  std::sqrt(log_term / 800),
              1e-12);
}

TEST(CertificationReport, BandsSplitTheAverageRadius) {
  // One sample in each band, on its upper edge: .5, .9, .99, .999 and 1 of 1000 draws.
  const v1::CertificationReport report =
      OnlyCondition(Input(2, {Smoothing("1", 100, 1000, "0.001",
                                        {Agreeing(0, 0, 500, 1000), Agreeing(1, 0, 900, 1000),
                                         Agreeing(2, 0, 990, 1000), Agreeing(3, 0, 999, 1000),
                                         Agreeing(4, 0, 1000, 1000)})}))
          .certification();
  ASSERT_EQ(report.acr_bands_size(), 5);
  double sum = 0;
  for (const v1::AcrBand& band : report.acr_bands()) {
    EXPECT_EQ(band.samples(), 1) << band.upper();
    sum += band.acr_contribution();
  }
  EXPECT_EQ(report.acr_bands(0).lower(), 0);
  EXPECT_EQ(report.acr_bands(0).acr_contribution(), 0);
  EXPECT_NEAR(report.acr_bands(2).acr_contribution(), 1.978010 / 5, 1e-6);
  EXPECT_EQ(report.acr_bands(4).upper(), 1);
  EXPECT_NEAR(sum, report.average_certified_radius(), 1e-12);
  EXPECT_THAT(report.acr_notice(), ::testing::HasSubstr("2410.06895"));
}

TEST(CertificationReport, DistributionsAreOfTheTrueAndOfTheTopClass) {
  const v1::ConditionReport report =
      OnlyCondition(Input(2, {Smoothing("1", 100, 1000, "0.001",
                                        {Agreeing(0, 0, 900, 1000), Agreeing(1, 1, 900, 1000),
                                         Agreeing(2, 0, 300, 1000), Agreeing(3, 0, 900, 1000)})}));
  const auto points = [](const v1::PaDistribution& distribution) {
    std::vector<std::pair<double, double>> result;
    for (const v1::PaPoint& point : distribution.points()) {
      result.emplace_back(point.pa(), point.cumulative());
    }
    return result;
  };
  using Points = std::vector<std::pair<double, double>>;
  const v1::PaDistribution& of_label = report.certification().pa_true_class();
  EXPECT_EQ(points(of_label), (Points{{0.1, 0.25}, {0.3, 0.5}, {0.9, 1}}));
  EXPECT_NEAR(of_label.mean(), 0.55, 1e-12);
  EXPECT_NEAR(of_label.median(), 0.6, 1e-12);
  EXPECT_NEAR(of_label.dkw_half_width(), std::sqrt(std::log(2 / 0.05) / 8), 1e-12);
  EXPECT_EQ(points(report.certification().pa_top_class()), (Points{{0.7, 0.25}, {0.9, 1}}));
  EXPECT_EQ(points(report.classes(1).certification().pa_true_class()), (Points{{0.1, 1}}));
}

TEST(CertificationReport, LargeDistributionsAreShownAtQuantiles) {
  std::vector<v1::Outcome> outcomes;
  for (int i = 0; i < 1000; ++i) outcomes.push_back(Agreeing(i, 0, i + 1, 1000));
  const v1::PaDistribution distribution =
      OnlyCondition(Input(2, {Smoothing("1", 100, 1000, "0.001", outcomes)}))
          .certification()
          .pa_true_class();
  ASSERT_EQ(distribution.points_size(), 101);
  EXPECT_DOUBLE_EQ(distribution.points(0).pa(), 0.001);
  EXPECT_DOUBLE_EQ(distribution.points(100).pa(), 1);
  for (int i = 0; i < 101; ++i) {
    // Values are 1/1000 ... 1000/1000, each once: the distribution function at x is x.
    EXPECT_DOUBLE_EQ(distribution.points(i).cumulative(), distribution.points(i).pa());
    if (i > 0) {
      EXPECT_NEAR(distribution.points(i).pa() - distribution.points(i - 1).pa(), 0.01, 0.0011);
    }
  }
}

TEST(CertificationReport, DrawsWithoutAClassCountAsErrors) {
  v1::Outcome outcome = Smoothed(0, 0, {90}, {990});
  outcome.mutable_smoothing()->set_undecided_draws(15);
  outcome.mutable_smoothing()->set_tied_draws(5);
  const v1::CertificationReport report =
      OnlyCondition(Input(2, {Smoothing("1", 100, 1000, "0.001", {outcome})})).certification();
  EXPECT_NEAR(report.average_certified_radius(), 1.978010, 1e-6);
  EXPECT_EQ(report.draws(), 1100);
  EXPECT_EQ(report.undecided_draws(), 15);
  EXPECT_EQ(report.tied_draws(), 5);
  EXPECT_DOUBLE_EQ(report.pa_true_class().mean(), 0.99);
}

TEST(CertificationReport, ASampleWithoutASelectedClassAbstains) {
  const v1::CertificationReport report =
      OnlyCondition(Input(2, {Smoothing("1", 100, 1000, "0.001", {Smoothed(0, 0, {}, {1000})})}))
          .certification();
  EXPECT_EQ(report.abstentions(), 1);
  EXPECT_EQ(report.acr_bands(0).samples(), 1);
}

TEST(CertificationReport, SelectionTiesGoToTheLowestClassInAnyOrder) {
  v1::Outcome outcome = Smoothed(0, 1, {0, 50, 50}, {0, 1000, 0});
  outcome.mutable_smoothing()->mutable_selection()->SwapElements(0, 1);
  const v1::ConditionReport report =
      OnlyCondition(Input(3, {Smoothing("1", 100, 1000, "0.001", {outcome})}));
  EXPECT_EQ(report.correct(), 1);
}

TEST(CertificationReport, WithoutSamplesThereIsNoCurve) {
  ReportInput input = Input(2, {Smoothing("1", 100, 1000, "0.001", {})});
  input.expected_samples = 3;
  const v1::ConditionReport report = OnlyCondition(input);
  EXPECT_EQ(report.certification().curve_size(), 0);
  EXPECT_FALSE(report.certification().has_pa_true_class());
  EXPECT_EQ(report.certification().abstention_rate().undefined_reason(), "no samples");
  EXPECT_EQ(report.classes(0).certification().curve_size(), 0);
}

TEST(CertificationReport, RefusesCountsThatTheDrawsCannotGive) {
  const auto reason = [](const v1::Outcome& outcome) {
    return ReasonOf(
        BuildReport(Input(2, {Smoothing("1", 100, 1000, "0.001", {outcome})})).status());
  };
  EXPECT_EQ(reason(Smoothed(0, 0, {100}, {999, 2})), Reason::kInternal);
  EXPECT_EQ(reason(Smoothed(0, 0, {101}, {1000})), Reason::kInternal);
  EXPECT_EQ(reason(Smoothed(0, 0, {100}, {0, 0, 1000})), Reason::kInternal);
  EXPECT_EQ(reason(Smoothed(0, 0, {100}, {-1})), Reason::kInternal);
  EXPECT_EQ(reason(Predicted(0, 0, -1)), Reason::kInternal);
  v1::Outcome twice = Smoothed(0, 0, {100}, {500});
  *twice.mutable_smoothing()->add_estimation() = twice.smoothing().estimation(0);
  EXPECT_EQ(reason(twice), Reason::kInternal);
  EXPECT_EQ(reason(Smoothed(0, 0, {100}, {1000})), std::nullopt);
}

TEST(CertificationReport, RefusesConditionsWithoutUsableParameters) {
  for (const char* name : {"sigma", "n0", "n", "alpha"}) {
    for (const char* text : {"", "0", "-1", "x"}) {
      ConditionOutcomes condition = Smoothing("1", 100, 1000, "0.001", {});
      (*condition.condition.mutable_parameters())[name] = text;
      EXPECT_EQ(ReasonOf(BuildReport(Input(2, {condition})).status()), Reason::kInternal)
          << name << "=" << text;
    }
    ConditionOutcomes condition = Smoothing("1", 100, 1000, "0.001", {});
    condition.condition.mutable_parameters()->erase(name);
    EXPECT_EQ(ReasonOf(BuildReport(Input(2, {condition})).status()), Reason::kInternal) << name;
  }
  EXPECT_FALSE(BuildReport(Input(2, {Smoothing("1", 100, 1000, "1", {})})).ok());
  ConditionOutcomes fractional = Smoothing("1", 100, 1000, "0.001", {});
  (*fractional.condition.mutable_parameters())["n"] = "1/2";
  EXPECT_FALSE(BuildReport(Input(2, {fractional})).ok());
}

}  // namespace
}  // namespace assay::report
