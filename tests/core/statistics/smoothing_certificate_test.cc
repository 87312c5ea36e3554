#include "core/statistics/smoothing_certificate.h"

#include <cmath>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/conditions/smoothing_setting.h"
#include "core/statistics/confidence_sequence.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay {
namespace {

using ::testing::ElementsAre;

v1::SmoothingOutcome Counted(const std::vector<int64_t>& selection,
                             const std::vector<int64_t>& estimation) {
  v1::SmoothingOutcome outcome;
  const auto fill = [](const std::vector<int64_t>& counts, auto* histogram) {
    for (size_t i = 0; i < counts.size(); ++i) {
      v1::ClassCount& entry = *histogram->Add();
      entry.set_index(static_cast<int32_t>(i));
      entry.set_count(counts[i]);
    }
  };
  fill(selection, outcome.mutable_selection());
  fill(estimation, outcome.mutable_estimation());
  return outcome;
}

SmoothingSetting Setting(const std::string& expression) {
  const auto conditions = ParseConditions({expression});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  const auto setting = ParseSmoothingSetting(conditions->at(0));
  EXPECT_TRUE(setting.ok()) << setting.status();
  return *setting;
}

// 2^-n against alpha divided by the number of samples.
TEST(CheckEnoughDraws, IsAboutTheSamplesThatShareAlpha) {
  const auto check = [](const std::string& expression, int64_t samples) {
    return CheckEnoughDraws(ParseConditions({expression})->at(0), samples);
  };
  const std::string shared = "smoothing/gaussian:alpha=0.001,scope=dataset,n=20";
  EXPECT_TRUE(check(shared, 1).ok());
  EXPECT_TRUE(check(shared, 1048).ok());
  const absl::Status refused = check(shared, 1049);
  EXPECT_EQ(ReasonOf(refused), Reason::kInvalidCondition);
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("can certify is 21"));
  EXPECT_TRUE(check("smoothing/gaussian:alpha=0.001,n=20", 100000).ok());
  EXPECT_TRUE(check("clean", 100000).ok());
  EXPECT_FALSE(check("smoothing/gaussian:alpha=0.001,scope=dataset,n=20,mode=predict", 1048).ok());
}

TEST(SmoothingSetting, IsReadFromTheCondition) {
  const SmoothingSetting anytime = Setting(
      "smoothing/gaussian:sigma=0.5,alpha=0.01,mode=anytime,radii=0.5+0.25,n=5000,n0=50,sound=yes");
  EXPECT_EQ(anytime.scale, 0.5);
  EXPECT_EQ(anytime.alpha, 0.01);
  EXPECT_EQ(anytime.n, 5000);
  EXPECT_EQ(anytime.n0, 50);
  EXPECT_EQ(anytime.mode, SmoothingMode::kAnytime);
  EXPECT_THAT(anytime.radii, ElementsAre(0.25, 0.5));
  EXPECT_TRUE(anytime.sound);
  const SmoothingSetting uniform = Setting("smoothing/uniform:lambda=1,norm=linf,scope=dataset");
  EXPECT_EQ(uniform.noise, SmoothingNoise::kUniform);
  EXPECT_EQ(uniform.norm, RadiusNorm::kLinf);
  EXPECT_TRUE(uniform.per_dataset);
  EXPECT_EQ(Setting("smoothing/uniform").norm, RadiusNorm::kL1);
  EXPECT_EQ(Setting("smoothing/laplace:mode=predict").n0, 0);
}

TEST(SmoothingSetting, RefusesWhatCanOnlyAbstain) {
  const auto problem = [](const std::string& expression) {
    return std::string(ParseConditions({expression}).status().message());
  };
  EXPECT_THAT(problem("smoothing/laplace:n=9"), ::testing::HasSubstr("that can certify is 10"));
  // 2 * 2^-n <= .001.
  EXPECT_THAT(problem("smoothing/gaussian:mode=predict,n=10"),
              ::testing::HasSubstr("that can certify is 11"));
  EXPECT_EQ(problem("smoothing/gaussian:mode=predict,n=11"), "");
  const int64_t smallest = AnytimeSmallestN(0.5, 0.001);
  EXPECT_THAT(problem("smoothing/gaussian:mode=anytime,n=9"),
              ::testing::HasSubstr("that can certify is " + std::to_string(smallest)));
  const int64_t far = AnytimeSmallestN(0.5 * std::erfc(-3 / std::sqrt(2.0)), 0.001);
  const std::string anytime = "smoothing/gaussian:mode=anytime,radii=0.25+0.75,n=";
  EXPECT_THAT(
      problem(anytime + std::to_string(far - 1)),
      ::testing::HasSubstr("radius 0.75; the smallest n that can is " + std::to_string(far)));
  EXPECT_EQ(problem(anytime + std::to_string(far)), "");
  EXPECT_THAT(problem("smoothing/uniform:lambda=0.5,mode=anytime,radii=0.5"),
              ::testing::HasSubstr("no number of draws certifies radius 0.5"));
  EXPECT_THAT(problem("smoothing/gaussian:radii=0.5"), ::testing::HasSubstr("mode=anytime"));
  EXPECT_THAT(problem("smoothing/gaussian:mode=anytime,scope=dataset"),
              ::testing::HasSubstr("scope=dataset"));
  EXPECT_THAT(problem("smoothing/gaussian:mode=predict,n0=10"), ::testing::HasSubstr("n0"));
  EXPECT_THAT(problem("smoothing/gaussian:n0=0"), ::testing::HasSubstr("n0"));
}

TEST(Radius, FollowsThePublishedFormulas) {
  SmoothingSetting setting;
  setting.scale = 0.5;
  setting.dimension = 3072;
  EXPECT_NEAR(RadiusOf(setting, 0.8413447460685429), 0.5, 1e-12);
  setting.norm = RadiusNorm::kLinf;
  EXPECT_NEAR(RadiusOf(setting, 0.8413447460685429), 0.5 / std::sqrt(3072.0), 1e-12);
  setting.noise = SmoothingNoise::kUniform;
  EXPECT_NEAR(RadiusOf(setting, 0.9), 1 - std::pow(0.6, 1.0 / 3072), 1e-12);
  setting.norm = RadiusNorm::kL1;
  EXPECT_NEAR(RadiusOf(setting, 0.9), 0.4, 1e-12);
  setting.noise = SmoothingNoise::kLaplace;
  EXPECT_NEAR(RadiusOf(setting, 0.9), -0.5 * std::log(0.2), 1e-12);
}

TEST(Radius, HasAnInverse) {
  for (const char* expression :
       {"smoothing/gaussian:sigma=0.5", "smoothing/gaussian:norm=linf", "smoothing/uniform",
        "smoothing/uniform:norm=linf,lambda=2", "smoothing/laplace:lambda=0.3"}) {
    SmoothingSetting setting = Setting(expression);
    setting.dimension = 784;
    EXPECT_NEAR(RadiusOf(setting, 0.5), 0, 1e-12);
    for (const double p : {0.5, 0.6, 0.9, 0.999}) {
      EXPECT_NEAR(ProbabilityFor(setting, RadiusOf(setting, p)), p, 1e-9) << expression;
    }
  }
  EXPECT_GE(ProbabilityFor(Setting("smoothing/uniform:lambda=1"), 1), 1);
  EXPECT_GE(ProbabilityFor(Setting("smoothing/uniform:lambda=1,norm=linf"), 5), 1);
}

// PREDICT: exact two-sided binomial test of the first against the second class. p-values of
// binom.test in R: 60 of 100: 0.05689, 65 of 100: 0.003519, 9 of 10: 0.02148.
TEST(Predict, AbstainsUnlessTheTestRejectsAFairCoin) {
  SmoothingSetting setting = Setting("smoothing/gaussian:mode=predict,alpha=0.05,n=200");
  // Draws of other classes are no part of the test.
  EXPECT_EQ(Certify(Counted({}, {40, 100, 60}), setting).prediction, 1);
  EXPECT_EQ(Certify(Counted({}, {40, 40, 60}), setting).prediction, -1);
  EXPECT_EQ(Certify(Counted({}, {40, 40, 60}), setting).top_class, 2);
  EXPECT_EQ(Certify(Counted({}, {9, 1, 0}), setting).prediction, 0);
  setting.alpha = 0.0568;
  EXPECT_EQ(Certify(Counted({}, {60, 40}), setting).prediction, -1);
  setting.alpha = 0.0569;
  EXPECT_EQ(Certify(Counted({}, {60, 40}), setting).prediction, 0);
  setting.alpha = 0.00351;
  EXPECT_EQ(Certify(Counted({}, {35, 65}), setting).prediction, -1);
  setting.alpha = 0.00352;
  EXPECT_EQ(Certify(Counted({}, {35, 65}), setting).prediction, 1);
  EXPECT_EQ(Certify(Counted({}, {}), setting).prediction, -1);
  EXPECT_EQ(Certify(Counted({}, {50, 50}), setting).radius, 0);
}

TEST(Certify, AnytimeUsesTheBestMomentAndItsOwnBound) {
  const SmoothingSetting setting = Setting("smoothing/gaussian:mode=anytime");
  v1::SmoothingOutcome outcome = Counted({0, 100}, {100, 900});
  outcome.set_best_count(490);
  outcome.set_best_draws(500);
  const Certificate certificate = Certify(outcome, setting);
  EXPECT_EQ(certificate.prediction, 1);
  EXPECT_EQ(certificate.pa_lower, AnytimeLower(490, 500, 0.001));
  EXPECT_NEAR(certificate.radius, RadiusOf(setting, certificate.pa_lower), 1e-12);
  EXPECT_EQ(EstimationDraws(outcome, setting), 1000);
}

TEST(Certify, FewerDrawsKeepTheShareRoundedDown) {
  SmoothingSetting setting = Setting("smoothing/gaussian:n=1000");
  const v1::SmoothingOutcome outcome = Counted({100}, {989, 11});
  setting.as_if_n = 100;
  EXPECT_EQ(Certify(outcome, setting).pa_lower, ClopperPearsonLower(98, 100, 0.001));
  setting.as_if_n = 1000;
  EXPECT_EQ(Certify(outcome, setting).pa_lower, ClopperPearsonLower(989, 1000, 0.001));
}

TEST(Certify, SharedAlphaIsDividedByTheSamples) {
  SmoothingSetting setting = Setting("smoothing/gaussian:n=1000,scope=dataset,alpha=0.01");
  setting.samples = 10;
  EXPECT_EQ(Certify(Counted({100}, {990, 10}), setting).pa_lower,
            ClopperPearsonLower(990, 1000, 0.001));
}

TEST(Certify, SoundModePaysForItsSampler) {
  SmoothingSetting setting = Setting("smoothing/gaussian:n=1000,sound=yes");
  setting.dimension = 3072;
  EXPECT_GT(SamplerError(setting), 3072 * 1021 * 0x1p-64);
  EXPECT_LT(SamplerError(setting), 1e-11);
  EXPECT_EQ(Certify(Counted({100}, {990, 10}), setting).pa_lower,
            ClopperPearsonLower(990, 1000, 0.001) - SamplerError(setting));
}

}  // namespace
}  // namespace assay
