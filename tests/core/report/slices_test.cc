// Slices of reports. p-values: scipy 1.17, fisher_exact, with Holm's correction written out over
// them; they differ from scipy's in rounding only.
#include <algorithm>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kSamples = 200;

// Night is 0 to 39, day to 189, fog the rest; site a is 0 to 4.
bool Right(int sample) {
  if (sample < 40) return sample < 22;
  if (sample < 190) return sample < 40 + 141;
  return sample < 190 + 7;
}

std::vector<SampleColumn> Columns() {
  std::vector<std::string> lighting, site;
  for (int i = 0; i < kSamples; ++i) {
    lighting.push_back(i < 40 ? "night" : i < 190 ? "day" : "fog");
    site.push_back(i < 5 ? "a" : "b");
  }
  return {Texts("lighting", lighting), Texts("site", site)};
}

std::vector<v1::Outcome> CleanOutcomes() {
  std::vector<v1::Outcome> outcomes;
  for (int i = 0; i < kSamples; ++i) {
    outcomes.push_back(Predicted(i, 0, Right(i) ? 0 : 1));
    outcomes.back().set_confidence(0.5F);
  }
  return outcomes;
}

v1::Report Build(ReportInput input) {
  const auto report = BuildReport(input);
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *report : v1::Report();
}

v1::Report CleanReport() {
  ReportInput input = Input(2, {Clean(CleanOutcomes())});
  input.columns = Columns();
  return Build(std::move(input));
}

const v1::SliceColumn& Column(const v1::Report& report, const char* name, int condition = 0) {
  for (const v1::SliceColumn& column : report.conditions(condition).slices()) {
    if (column.name() == name) return column;
  }
  ADD_FAILURE() << "no column " << name;
  return v1::SliceColumn::default_instance();
}

std::vector<std::string> Values(const v1::SliceColumn& column) {
  std::vector<std::string> values;
  for (const v1::Slice& slice : column.slices()) values.push_back(slice.value());
  return values;
}

TEST(SlicesTest, TheWorstIsFirstAndTestedAgainstAllOthers) {
  const v1::Report report = CleanReport();
  const v1::SliceColumn& lighting = Column(report, "lighting");
  ASSERT_THAT(Values(lighting), ElementsAre("night", "fog", "day"));
  const v1::Slice& night = lighting.slices(0);
  EXPECT_EQ(night.samples(), 40);
  EXPECT_EQ(night.correct(), 22);
  EXPECT_DOUBLE_EQ(night.accuracy().value(), 0.55);
  // scipy 1.17, beta.ppf.
  EXPECT_NEAR(night.accuracy().lower(), 0.3849067945, 1e-9);
  EXPECT_NEAR(night.accuracy().upper(), 0.7074116500, 1e-9);
  EXPECT_FALSE(night.few());
  EXPECT_NEAR(night.adjusted_p_value(), 3.519392160278417e-07, 1e-13);
  EXPECT_NEAR(lighting.slices(1).adjusted_p_value(), 0.3507730632737918, 1e-9);
  EXPECT_NEAR(lighting.slices(2).adjusted_p_value(), 5.9409882626878704e-08, 1e-14);
  EXPECT_EQ(lighting.slices(1).samples(), 10);
  EXPECT_FALSE(lighting.slices(1).few());
}

TEST(SlicesTest, FewSamplesAreShownLastAndNotTested) {
  const v1::Report report = CleanReport();
  const v1::SliceColumn& site = Column(report, "site");
  ASSERT_THAT(Values(site), ElementsAre("b", "a"));
  EXPECT_NEAR(site.slices(0).adjusted_p_value(), 1, 1e-9);
  EXPECT_TRUE(site.slices(1).few());
  EXPECT_EQ(site.slices(1).samples(), 5);
  EXPECT_FALSE(site.slices(1).has_adjusted_p_value());
  EXPECT_EQ(site.slices(1).accuracy().value(), 1);
}

TEST(SlicesTest, ASliceOfAllSamplesHasNothingToBeTestedAgainst) {
  const v1::Report report = CleanReport();
  const v1::SliceColumn& confidence = Column(report, "confidence");
  ASSERT_THAT(Values(confidence), ElementsAre("0.5"));
  EXPECT_TRUE(confidence.built_in());
  EXPECT_FALSE(confidence.slices(0).has_adjusted_p_value());
  EXPECT_FALSE(confidence.slices(0).few());
}

TEST(SlicesTest, AttacksAreCutByTheConfidenceOfTheCleanPrediction) {
  std::vector<v1::Outcome> clean, attacked;
  for (int i = 0; i < 80; ++i) {
    clean.push_back(i == 79 ? Undecided(i, 0) : Predicted(i, 0, i < 4 ? 1 : 0));
    clean.back().set_confidence(static_cast<float>(i / 20) / 4 + static_cast<float>(i) / 1000);
    if (i < 4) {
      attacked.push_back(NotAttacked(i, 0, 1));
    } else if (i == 79) {
      attacked.push_back(Undecided(i, 0));
    } else if (i < 30) {
      attacked.push_back(Fooled(i, 0, 1, 0.01));
    } else {
      attacked.push_back(Survivor(i, 0, 3, 2));
    }
  }
  // The order of outcomes does not matter.
  std::reverse(clean.begin(), clean.end());
  const v1::Report report = Build(Input(2, {Clean(clean), Attack(attacked)}));
  const v1::SliceColumn& confidence = Column(report, "confidence", 1);
  ASSERT_EQ(confidence.slices_size(), 5);
  // 79 samples have one; the quarter that is least sure are the first 20.
  const v1::Slice& least = confidence.slices(0);
  EXPECT_EQ(least.samples(), 20);
  EXPECT_EQ(least.correct(), 0);
  EXPECT_EQ(least.clean_accuracy().numerator(), 16);
  EXPECT_EQ(least.clean_accuracy().denominator(), 20);
  EXPECT_EQ(least.success_rate().numerator(), 16);
  EXPECT_EQ(least.success_rate().denominator(), 16);
  EXPECT_EQ(confidence.slices(1).success_rate().numerator(), 10);
  // The median is the confidence of sample 39, which begins the next range.
  EXPECT_EQ(confidence.slices(1).success_rate().denominator(), 19);
  const v1::Slice& missing = confidence.slices(4);
  EXPECT_EQ(missing.value(), "(missing)");
  EXPECT_EQ(missing.samples(), 1);
  EXPECT_TRUE(missing.few());
  EXPECT_EQ(missing.success_rate().undefined_reason(), "no sample was attacked");
}

TEST(SlicesTest, WithoutACleanConditionThereIsNoConfidence) {
  const v1::Report report = Build(Input(2, {Attack({Survivor(0, 0, 3, 2)})}));
  const v1::SliceColumn& confidence = Column(report, "confidence");
  EXPECT_THAT(confidence.slices(), IsEmpty());
  EXPECT_THAT(confidence.undefined_reason(), HasSubstr("does not have the condition clean"));
}

TEST(SlicesTest, SmoothingHasCertifiedAccuraciesAndAbstentions) {
  // 0 to 9 certify far, 10 to 14 abstain, the rest certify the wrong class.
  std::vector<v1::Outcome> outcomes;
  std::vector<double> numbers;
  for (int i = 0; i < 40; ++i) {
    if (i < 10) {
      outcomes.push_back(Smoothed(i, 0, {10, 0}, {100, 0}));
    } else if (i < 15) {
      outcomes.push_back(Smoothed(i, 0, {10, 0}, {50, 50}));
    } else {
      outcomes.push_back(Smoothed(i, 0, {0, 10}, {0, 100}));
    }
    numbers.push_back(i < 20 ? 0 : 1);
  }
  ReportInput input = Input(2, {Smoothing("0.25", 10, 100, "0.001", outcomes)});
  input.columns = {CutNumbers("half", numbers, {})};
  const v1::Report report = Build(std::move(input));
  const v1::SliceColumn& half = Column(report, "half");
  ASSERT_THAT(Values(half), ElementsAre("1", "0"));
  const v1::Slice& first = half.slices(1);
  EXPECT_EQ(first.abstention_rate().numerator(), 5);
  EXPECT_EQ(first.abstention_rate().denominator(), 20);
  const auto& curve = report.conditions(0).certification().curve();
  ASSERT_EQ(first.certified_accuracy_size(), curve.size());
  int64_t certified = 0;
  for (int i = 0; i < curve.size(); ++i) {
    EXPECT_EQ(first.certified_accuracy(i).radius(), curve[i].radius());
    // All that is certified is in this half.
    EXPECT_EQ(first.certified_accuracy(i).accuracy().numerator(), curve[i].accuracy().numerator());
    EXPECT_EQ(first.certified_accuracy(i).accuracy().denominator(), 20);
    certified += curve[i].accuracy().numerator();
  }
  EXPECT_GT(certified, 10);
  EXPECT_EQ(half.slices(0).certified_accuracy(0).accuracy().numerator(), 0);
}

TEST(SlicesTest, WhatIsKnownOfMoreSamplesThanThereAreYetDoesNoHarm) {
  ReportInput input = Input(2, {Clean(CleanOutcomes())});
  input.columns = Columns();
  input.conditions[0].outcomes.resize(30);
  const v1::Report report = Build(input);
  EXPECT_EQ(Column(report, "lighting").slices(0).samples(), 30);
  EXPECT_EQ(Column(report, "lighting").slices(1).samples(), 0);
  EXPECT_EQ(Column(report, "lighting").slices(1).accuracy().undefined_reason(), "no samples");
  // And of fewer: those are in no slice.
  input.conditions[0].outcomes = CleanOutcomes();
  input.columns = {Texts("part", std::vector<std::string>(50, "x"))};
  const v1::Report more = Build(input);
  ASSERT_THAT(Values(Column(more, "part")), ElementsAre("x"));
  EXPECT_EQ(Column(more, "part").slices(0).samples(), 50);
  EXPECT_TRUE(Column(more, "part").slices(0).has_adjusted_p_value());
}

}  // namespace
}  // namespace assay::report
