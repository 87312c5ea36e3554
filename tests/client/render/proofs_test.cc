// Deterministic bounds and conformal sets in the report that people read.
#include <string>

#include "client/render/render.h"
#include "gmock/gmock.h"

namespace assay::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Rate MakeRate(int64_t numerator, int64_t denominator) {
  v1::Rate rate;
  rate.set_numerator(numerator);
  rate.set_denominator(denominator);
  if (denominator == 0) return rate;
  rate.set_value(static_cast<double>(numerator) / static_cast<double>(denominator));
  rate.set_lower(0.1);
  rate.set_upper(0.9);
  return rate;
}

v1::Report OneCondition(const std::string& id) {
  v1::Report report;
  v1::ConditionReport& condition = *report.add_conditions();
  condition.set_id(id);
  for (const char* name : {"cat", "dog"}) {
    v1::ClassReport& entry = *condition.add_classes();
    entry.set_index(condition.classes_size() - 1);
    entry.set_name(name);
  }
  return report;
}

TEST(BoundsText, HasCertifiedAccuracyOverallAndByClass) {
  v1::Report report = OneCondition("bounds/crown/2-255");
  v1::BoundsReport& bounds = *report.mutable_conditions(0)->mutable_bounds();
  bounds.set_method("crown");
  bounds.set_eps(0.25);
  *bounds.mutable_certified_accuracy() = MakeRate(1, 4);
  bounds.set_certified(2);
  bounds.set_mean_margin(-1.5);
  bounds.set_median_margin(-0.5);
  for (int i = 0; i < 2; ++i) {
    v1::BoundsClass& own = *bounds.add_classes();
    own.set_index(i);
    *own.mutable_certified_accuracy() = MakeRate(i, 2);
    own.set_median_margin(i - 3);
  }
  std::string text = RenderReport(report, Format::kTable);
  EXPECT_THAT(text, HasSubstr("certified accuracy 25.0 [10.0, 90.0] % at Linf 0.25 by crown"));
  EXPECT_THAT(text, HasSubstr("right or wrong: 2"));
  EXPECT_THAT(text, HasSubstr("mean -1.5, median -0.5; interval tightness -"));
  EXPECT_THAT(text, HasSubstr("dog    50.0 [10.0, 90.0]             -2"));
  bounds.set_mean_tightness(0.125);
  text = RenderReport(report, Format::kTable);
  EXPECT_THAT(text, HasSubstr("interval tightness 0.125"));
}

TEST(ConformalText, HasCoverageAndSizeOfBothKindsOfSets) {
  v1::Report report = OneCondition("conformal/rscp/0.25/0.125");
  v1::ConformalReport& conformal = *report.mutable_conditions(0)->mutable_conformal();
  conformal.set_alpha(0.1);
  conformal.set_delta(0.125);
  conformal.set_score("hps");
  conformal.set_bound("bernstein");
  conformal.set_mean_correction(0.0625);
  conformal.set_calibration_samples(1200);
  conformal.set_test_samples(4);
  *conformal.mutable_coverage() = MakeRate(4, 4);
  conformal.set_mean_set_size(1.75);
  *conformal.mutable_plain_coverage() = MakeRate(3, 4);
  conformal.set_plain_mean_set_size(1.25);
  for (int i = 0; i < 2; ++i) {
    v1::ConformalClass& own = *conformal.add_classes();
    own.set_index(i);
    *own.mutable_coverage() = MakeRate(i, i);
    own.set_mean_set_size(1.5 * i);
  }
  const std::string text = RenderReport(report, Format::kTable);
  EXPECT_THAT(text, HasSubstr("Monte-Carlo correction by bernstein, on average 0.0625"));
  EXPECT_THAT(text, HasSubstr("calibrated on 1,200 samples, measured on 4"));
  EXPECT_THAT(text, HasSubstr("robust      100.0 [10.0, 90.0]       1.75"));
  EXPECT_THAT(text, HasSubstr("not robust   75.0 [10.0, 90.0]       1.25"));
  EXPECT_THAT(text, HasSubstr("cat                     -          -"));
  EXPECT_THAT(text, HasSubstr("dog    100.0 [10.0, 90.0]        1.5"));
}

TEST(ConformalText, SaysWhyThereAreNoSets) {
  v1::Report report = OneCondition("conformal/rscp/0.25/0.125");
  report.mutable_conditions(0)->mutable_conformal()->set_undefined_reason("5 are too few");
  const std::string text = RenderReport(report, Format::kTable);
  EXPECT_THAT(text, HasSubstr("5 are too few"));
  EXPECT_THAT(text, Not(HasSubstr("not robust")));
}

}  // namespace
}  // namespace assay::render
