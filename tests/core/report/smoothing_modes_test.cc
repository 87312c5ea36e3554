// Reports of smoothing beside the fixed mode with Gaussian noise, and certificates from stored
// counts at other settings.
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/base/errors.h"
#include "core/statistics/confidence_sequence.h"
#include "core/statistics/smoothing_certificate.h"
#include "gmock/gmock.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// k of n draws for class 0, the rest for class 1, selected by unanimous votes for class 0.
v1::Outcome Agreeing(int64_t sample, int label, int64_t k, int64_t n) {
  return Smoothed(sample, label, {100}, {k, n - k});
}

v1::Outcome Anytime(int64_t sample, int64_t k, int64_t n, int64_t best_count, int64_t best_draws) {
  v1::Outcome outcome = Agreeing(sample, 0, k, n);
  outcome.mutable_smoothing()->set_best_count(best_count);
  outcome.mutable_smoothing()->set_best_draws(best_draws);
  return outcome;
}

ConditionOutcomes With(ConditionOutcomes condition,
                       const std::vector<std::pair<std::string, std::string>>& parameters) {
  for (const auto& [name, value] : parameters) {
    (*condition.condition.mutable_parameters())[name] = value;
  }
  return condition;
}

v1::CertificationReport Certified(const ReportInput& input) {
  return OnlyCondition(input).certification();
}

double AccuracyAt(const v1::CertificationReport& report, double radius) {
  for (const v1::CertifiedPoint& point : report.curve()) {
    if (point.radius() == radius) return point.accuracy().value();
  }
  ADD_FAILURE() << "no point at radius " << radius;
  return -1;
}

TEST(SmoothingModes, AnytimeCertifiesByTheBestMomentAndCountsDrawsOfEachSample) {
  const v1::CertificationReport report = Certified(
      Input(2, {With(Smoothing("0.25", 100, 10000, "0.001",
                               {Anytime(0, 290, 300, 290, 300), Anytime(1, 1000, 1990, 30, 40),
                                Anytime(2, 9000, 9000, 9000, 9000)}),
                     {{"mode", "anytime"}, {"radii", "0.1+0.25"}})}));
  EXPECT_EQ(report.mode(), "anytime");
  EXPECT_EQ(report.noise(), "gaussian");
  EXPECT_EQ(report.norm(), "l2");
  EXPECT_FALSE(report.sound());
  EXPECT_EQ(report.alpha_scope(), "sample");
  EXPECT_THAT(report.wanted_radii(), ElementsAre(0.1, 0.25));
  EXPECT_EQ(report.draws(), 300 + 1990 + 9000 + 300);
  EXPECT_DOUBLE_EQ(report.mean_draws(), 11590.0 / 3);
  EXPECT_DOUBLE_EQ(report.median_draws(), 2090);
  const SmoothingSetting setting{0.25, 1, 0.001};
  const double first = RadiusOf(setting, AnytimeLower(290, 300, 0.001));
  const double last = RadiusOf(setting, AnytimeLower(9000, 9000, 0.001));
  EXPECT_NEAR(report.average_certified_radius(), (first + last) / 3, 1e-9);
  EXPECT_EQ(report.abstentions(), 1);
  EXPECT_GT(first, 0.25);
  EXPECT_NEAR(AccuracyAt(report, 0.1), 2.0 / 3, 1e-12);
  EXPECT_NEAR(AccuracyAt(report, 0.25), 2.0 / 3, 1e-12);
  EXPECT_NEAR(report.radius_cap(), RadiusOf(setting, AnytimeLower(10000, 10000, 0.001)), 1e-12);
  // Shares are over the draws that the sample had.
  EXPECT_NEAR(report.pa_true_class().mean(), (290.0 / 300 + 1000.0 / 1990 + 1) / 3, 1e-12);
}

// Radius 0.25 at sigma 0.25 needs p_A of .8413, radius 0.5 .9772.
TEST(SmoothingModes, AnytimeTellsWhatIsCertifiedRefutedAndOpen) {
  const v1::CertificationReport report = Certified(
      Input(2, {With(Smoothing("0.25", 100, 10000, "0.001",
                               {Anytime(0, 500, 500, 500, 500), Anytime(1, 700, 1000, 30, 40),
                                Anytime(2, 970, 1000, 970, 1000), Anytime(3, 820, 1000, 90, 100),
                                // Its best moment certified what all of its draws do not.
                                Anytime(4, 900, 1000, 300, 300)}),
                     {{"mode", "anytime"}, {"radii", "0.25+0.5"}})}));
  // The evidence by the midpoint rule: (q/p)^k ((1 - q)/(1 - p))^(n - k) over q < p.
  const auto refuted = [](double k, double n, double p) {
    const double end = std::asin(std::sqrt(p));
    double sum = 0;
    for (int i = 0; i < 20000; ++i) {
      const double q = std::pow(std::sin(end * (i + 0.5) / 20000), 2);
      sum += std::exp(k * std::log(q / p) + (n - k) * std::log((1 - q) / (1 - p))) / 20000;
    }
    return sum >= 1000;
  };
  EXPECT_TRUE(refuted(700, 1000, 0.8413));
  EXPECT_FALSE(refuted(820, 1000, 0.8413));
  EXPECT_FALSE(refuted(970, 1000, 0.9772));
  EXPECT_TRUE(refuted(820, 1000, 0.9772));
  ASSERT_EQ(report.decisions_size(), 2);
  const auto counts = [&](int i) {
    return std::vector<int64_t>{report.decisions(i).certified(), report.decisions(i).refuted(),
                                report.decisions(i).open()};
  };
  EXPECT_EQ(report.decisions(0).radius(), 0.25);
  EXPECT_THAT(counts(0), ElementsAre(3, 1, 1));
  EXPECT_THAT(counts(1), ElementsAre(1, 3, 1));
}

TEST(SmoothingModes, RefusesAnytimeCountsThatCannotBe) {
  const auto reason = [](const v1::Outcome& outcome) {
    return ReasonOf(BuildReport(Input(2, {With(Smoothing("1", 100, 1000, "0.001", {outcome}),
                                               {{"mode", "anytime"}})}))
                        .status());
  };
  EXPECT_EQ(reason(Anytime(0, 90, 100, 90, 100)), std::nullopt);
  EXPECT_EQ(reason(Anytime(0, 90, 100, 90, 101)), Reason::kInternal);
  EXPECT_EQ(reason(Anytime(0, 90, 100, 91, 90)), Reason::kInternal);
  EXPECT_EQ(reason(Anytime(0, 90, 100, -1, 90)), Reason::kInternal);
  EXPECT_EQ(reason(Anytime(0, 1001, 1001, 1, 1)), Reason::kInternal);
}

TEST(SmoothingModes, PredictGivesClassesAndNoRadii) {
  const v1::ConditionReport report = OnlyCondition(
      Input(2, {With(Smoothing("0.25", 1, 100, "0.001",
                               {Smoothed(0, 0, {}, {90, 10}), Smoothed(1, 0, {}, {10, 90}),
                                Smoothed(2, 1, {}, {55, 45})}),
                     {{"mode", "predict"}, {"n0", "0"}})}));
  EXPECT_THAT(report.confusion_matrix(0).counts(), ElementsAre(1, 1, 0));
  EXPECT_THAT(report.confusion_matrix(1).counts(), ElementsAre(0, 0, 1));
  const v1::CertificationReport& certification = report.certification();
  EXPECT_EQ(certification.mode(), "predict");
  ASSERT_EQ(certification.curve_size(), 1);
  EXPECT_EQ(certification.curve(0).radius(), 0);
  EXPECT_NEAR(certification.curve(0).accuracy().value(), 1.0 / 3, 1e-12);
  EXPECT_EQ(certification.radius_cap(), 0);
  EXPECT_EQ(certification.acr_notice(), "");
  EXPECT_EQ(certification.acr_bands_size(), 0);
  EXPECT_EQ(certification.curve_with_tenfold_n_size(), 0);
}

TEST(SmoothingModes, OtherNoisesHaveTheirRadii) {
  const double pa = ClopperPearsonLower(990, 1000, 0.001);
  ConditionOutcomes laplace = Smoothing("1", 100, 1000, "0.001", {Agreeing(0, 0, 990, 1000)});
  laplace.condition.set_method("laplace");
  (*laplace.condition.mutable_parameters())["lambda"] = "0.5";
  const v1::CertificationReport l1 = Certified(Input(2, {laplace}));
  EXPECT_NEAR(l1.average_certified_radius(), -0.5 * std::log(2 * (1 - pa)), 1e-9);
  EXPECT_EQ(l1.noise(), "laplace");
  EXPECT_EQ(l1.norm(), "l1");
  EXPECT_EQ(l1.sigma(), 0.5);
  // The norm Linf asks for the number of pixels.
  ReportInput linf = Input(2, {With(Smoothing("1", 100, 1000, "0.001", {Agreeing(0, 0, 990, 1000)}),
                                    {{"norm", "linf"}})});
  linf.shape.set_channels(3);
  linf.shape.set_height(32);
  linf.shape.set_width(32);
  const v1::CertificationReport report = Certified(linf);
  EXPECT_EQ(report.norm(), "linf");
  EXPECT_NEAR(report.average_certified_radius(), 1.978010 / std::sqrt(3072.0), 1e-7);
  // The grid of the curve scales likewise.
  EXPECT_NEAR(report.curve(1).radius(), 0.25 / std::sqrt(3072.0), 1e-12);
}

TEST(SmoothingModes, AlphaOfTheDatasetIsDividedByItsSamples) {
  std::vector<v1::Outcome> outcomes;
  for (int i = 0; i < 20; ++i) outcomes.push_back(Agreeing(i, 0, 990, 1000));
  const v1::CertificationReport report = Certified(
      Input(2, {With(Smoothing("1", 100, 1000, "0.02", outcomes), {{"scope", "dataset"}})}));
  EXPECT_EQ(report.alpha(), 0.02);
  EXPECT_EQ(report.alpha_scope(), "dataset");
  EXPECT_NEAR(report.median_radius(), 1.978010, 1e-6);
  // Of the evaluation's samples, also while only some have outcomes.
  ReportInput partial =
      Input(2, {With(Smoothing("1", 100, 1000, "0.02", {outcomes[0]}), {{"scope", "dataset"}})});
  partial.expected_samples = 20;
  EXPECT_NEAR(Certified(partial).median_radius(), 1.978010, 1e-6);
}

TEST(SmoothingModes, TenfoldCurveIsTheOneOfTenTimesTheCounts) {
  const std::vector<std::pair<int64_t, int64_t>> counts = {{1000, 1000}, {990, 1000}, {530, 1000}};
  std::vector<v1::Outcome> once, tenfold;
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto [k, n] = counts[i];
    once.push_back(Agreeing(static_cast<int64_t>(i), 0, k, n));
    tenfold.push_back(Agreeing(static_cast<int64_t>(i), 0, 10 * k, 10 * n));
  }
  const auto projected = Certified(Input(2, {Smoothing("1", 100, 1000, "0.001", once)}));
  const auto real = Certified(Input(2, {Smoothing("1", 100, 10000, "0.001", tenfold)}));
  ASSERT_EQ(projected.curve_with_tenfold_n_size(), real.curve_size());
  for (int i = 0; i < real.curve_size(); ++i) {
    EXPECT_EQ(projected.curve_with_tenfold_n(i).SerializeAsString(),
              real.curve(i).SerializeAsString());
  }
  EXPECT_LT(projected.curve(0).accuracy().value(), real.curve(0).accuracy().value());
}

TEST(Recompute, AlphaAndFewerDrawsGiveTheCertificatesOfThatSetting) {
  ReportInput input = Input(2, {Smoothing("1", 100, 10000, "0.001",
                                          {Agreeing(0, 0, 9909, 10000), Agreeing(1, 0, 5300, 10000),
                                           Agreeing(2, 0, 10000, 10000)})});
  input.alpha = 0.01;
  input.n = 1000;
  const v1::CertificationReport again = Certified(input);
  const v1::CertificationReport expected =
      Certified(Input(2, {Smoothing("1", 100, 1000, "0.01",
                                    {Agreeing(0, 0, 990, 1000), Agreeing(1, 0, 530, 1000),
                                     Agreeing(2, 0, 1000, 1000)})}));
  EXPECT_EQ(again.alpha(), 0.01);
  EXPECT_EQ(again.n(), 1000);
  EXPECT_EQ(again.abstentions(), expected.abstentions());
  EXPECT_EQ(again.average_certified_radius(), expected.average_certified_radius());
  EXPECT_EQ(again.radius_cap(), expected.radius_cap());
  EXPECT_EQ(again.share_at_cap().numerator(), 1);
  ASSERT_EQ(again.curve_size(), expected.curve_size());
  for (int i = 0; i < again.curve_size(); ++i) {
    EXPECT_EQ(again.curve(i).SerializeAsString(), expected.curve(i).SerializeAsString());
  }
  // The distribution of p_A is that of all draws.
  EXPECT_NEAR(again.pa_true_class().mean(), (0.9909 + 0.53 + 1) / 3, 1e-12);
}

TEST(Recompute, RefusesWhatTheCountsCannotTell) {
  const auto status = [](double alpha, int64_t n) {
    ReportInput input = Input(2, {Smoothing("1", 100, 1000, "0.001", {Agreeing(0, 0, 990, 1000)})});
    input.alpha = alpha;
    input.n = n;
    return BuildReport(input).status();
  };
  EXPECT_TRUE(status(0.5, 1000).ok());
  for (const double alpha : {-0.1, 1.0, 2.0, std::nan("")}) {
    EXPECT_EQ(ReasonOf(status(alpha, 0)), Reason::kInvalidArgument) << alpha;
  }
  for (const int64_t n : {-1, 1001}) {
    EXPECT_EQ(ReasonOf(status(0, n)), Reason::kInvalidArgument) << n;
  }
  const std::vector<FieldViolation> violations = ViolationsOf(status(0.001, 9));
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].field, "n");
  EXPECT_THAT(violations[0].description, HasSubstr("the smallest n that can certify is 10"));
  ReportInput clean = Input(2, {Clean({Predicted(0, 0, 0)})});
  clean.alpha = 0.01;
  EXPECT_EQ(ReasonOf(BuildReport(clean).status()), Reason::kInvalidArgument);
}

}  // namespace
}  // namespace assay::report
