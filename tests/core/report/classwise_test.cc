// Class-wise metrics of confusion matrices, against their definitions.
#include <cmath>
#include <numeric>
#include <vector>

#include "core/report/sections.h"
#include "core/statistics/statistics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::ConditionReport CleanReport(const std::vector<std::vector<int>>& matrix) {
  return OnlyCondition(
      Input(static_cast<int>(matrix.size()), {Clean(FromConfusionMatrix(matrix))}));
}

TEST(Classwise, CountsAndRatesFollowTheConfusionMatrix) {
  const v1::ConditionReport report = CleanReport({{8, 2, 0}, {1, 5, 4}, {0, 3, 7}});
  EXPECT_EQ(report.samples(), 30);
  EXPECT_EQ(report.correct(), 20);
  EXPECT_DOUBLE_EQ(report.accuracy().value(), 20.0 / 30);
  EXPECT_FALSE(report.has_abstain_column());
  EXPECT_THAT(report.confusion_matrix(1).counts(), ElementsAre(1, 5, 4));
  const v1::ClassReport& second = report.classes(1);
  EXPECT_EQ(second.name(), "class 1");
  EXPECT_EQ(second.samples(), 10);
  EXPECT_EQ(second.correct(), 5);
  EXPECT_EQ(second.false_positives(), 5);
  EXPECT_DOUBLE_EQ(second.accuracy().value(), 0.5);
  // Of 10 errors, 5 were taken for it.
  EXPECT_DOUBLE_EQ(second.cfps().value(), 0.5);
  EXPECT_EQ(second.cfps().denominator(), 10);
  EXPECT_NEAR(second.cfps().lower(), 0.1870860, 1e-7);
  EXPECT_NEAR(second.cfps().upper(), 0.8129140, 1e-7);
  EXPECT_DOUBLE_EQ(second.precision().value(), 5.0 / 10);
  EXPECT_EQ(second.strongest_confusion().index(), 2);
  EXPECT_EQ(second.strongest_confusion().count(), 4);
  EXPECT_EQ(second.strongest_confusion().name(), "class 2");
  EXPECT_DOUBLE_EQ(second.strongest_confusion().share().value(), 0.4);
}

TEST(Classwise, ShareOfErrorsIsUndefinedWithoutErrors) {
  const v1::ConditionReport report = CleanReport({{3, 0}, {0, 4}});
  for (const v1::ClassReport& c : report.classes()) {
    EXPECT_FALSE(c.cfps().has_value());
    EXPECT_FALSE(c.cfps().has_lower());
    EXPECT_FALSE(c.cfps().has_upper());
    EXPECT_EQ(c.cfps().undefined_reason(), "no sample was taken for another class");
    EXPECT_FALSE(c.has_strongest_confusion());
    EXPECT_THAT(c.roles(), IsEmpty());
  }
}

TEST(Classwise, ClassesWithoutSamplesOrPredictionsSaySo) {
  const v1::ConditionReport report = CleanReport({{3, 1, 0}, {0, 0, 0}, {1, 0, 0}});
  EXPECT_FALSE(report.classes(1).accuracy().has_value());
  EXPECT_EQ(report.classes(1).accuracy().undefined_reason(), "the class has no samples");
  EXPECT_TRUE(report.classes(1).precision().has_value());
  EXPECT_FALSE(report.classes(2).precision().has_value());
  EXPECT_EQ(report.classes(2).precision().undefined_reason(), "the class was never predicted");
  // Disparity is over the classes that have an accuracy: .75 and 0.
  EXPECT_DOUBLE_EQ(report.disparity().max_minus_min(), 0.75);
  EXPECT_DOUBLE_EQ(report.disparity().standard_deviation(), 0.375);
  EXPECT_EQ(report.disparity().best_class(), 0);
  EXPECT_EQ(report.disparity().worst_class(), 2);
}

TEST(Classwise, WithoutAnySampleEveryRateIsUndefined) {
  ReportInput input = Input(2, {Clean({})});
  input.expected_samples = 5;
  const v1::ConditionReport report = OnlyCondition(input);
  EXPECT_EQ(report.missing(), 5);
  EXPECT_EQ(report.accuracy().undefined_reason(), "no samples");
  EXPECT_FALSE(report.has_disparity());
  EXPECT_THAT(report.significant_differences(), IsEmpty());
  EXPECT_THAT(report.confusion_matrix(0).counts(), ElementsAre(0, 0));
}

TEST(Classwise, UndecidedAndTiedSamplesAreWrongAndInNoColumn) {
  const v1::ConditionReport report =
      OnlyCondition(Input(2, {Clean({Predicted(0, 0, 0), Predicted(1, 0, 1), Undecided(2, 0),
                                     Tied(3, 0, 0), Tied(4, 1, 0), Predicted(5, 1, 1)})}));
  EXPECT_EQ(report.samples(), 6);
  EXPECT_EQ(report.correct(), 2);
  EXPECT_EQ(report.undecided(), 1);
  EXPECT_EQ(report.ties(), 2);
  EXPECT_THAT(report.confusion_matrix(0).counts(), ElementsAre(1, 1));
  EXPECT_THAT(report.confusion_matrix(1).counts(), ElementsAre(0, 1));
  EXPECT_EQ(report.accuracy().denominator(), 6);
  EXPECT_EQ(report.classes(0).undecided(), 1);
  EXPECT_EQ(report.classes(0).accuracy().numerator(), 1);
  EXPECT_EQ(report.classes(0).accuracy().denominator(), 4);
  // The one error that has a column.
  EXPECT_EQ(report.classes(1).cfps().numerator(), 1);
  EXPECT_EQ(report.classes(1).cfps().denominator(), 1);
}

TEST(Classwise, AnUndecidedTieIsCountedOnce) {
  v1::Outcome both = Undecided(0, 0);
  both.set_tie(true);
  const v1::ConditionReport report = OnlyCondition(Input(1, {Clean({both})}));
  EXPECT_EQ(report.undecided(), 1);
  EXPECT_EQ(report.ties(), 0);
}

TEST(Classwise, RolesNeedAnIntervalBeyondTheReference) {
  // Overall .75. Class 0 is weak, classes 1 to 3 are strong; class 1 receives all errors and is a
  // sink although it is strong.
  const v1::ConditionReport report =
      CleanReport({{10, 90, 0, 0}, {0, 97, 0, 3}, {0, 3, 97, 0}, {0, 3, 0, 97}});
  EXPECT_THAT(report.classes(0).roles(), ElementsAre("weak", "source"));
  EXPECT_THAT(report.classes(1).roles(), ElementsAre("strong", "sink"));
  EXPECT_THAT(report.classes(2).roles(), ElementsAre("strong", "source"));
  // The same shares on a tenth of the samples prove less.
  const v1::ConditionReport small =
      CleanReport({{1, 9, 0, 0}, {0, 10, 0, 0}, {0, 0, 10, 0}, {0, 0, 0, 10}});
  EXPECT_THAT(small.classes(0).roles(), ElementsAre("weak"));
  EXPECT_THAT(small.classes(1).roles(), ElementsAre("sink"));
  EXPECT_THAT(small.classes(2).roles(), IsEmpty());
}

TEST(Classwise, AValueBeyondTheReferenceAloneGivesNoRole) {
  // Class 0: accuracy .8 below the overall .85. Class 1: .9 above it, and 2 of 3 errors.
  const v1::ConditionReport report = CleanReport({{8, 2}, {1, 9}});
  EXPECT_THAT(report.classes(0).roles(), IsEmpty());
  EXPECT_THAT(report.classes(1).roles(), IsEmpty());
}

TEST(Classwise, StrongestConfusionPrefersTheFirstOfEquals) {
  const v1::ConditionReport report = CleanReport({{0, 2, 2}, {0, 1, 0}, {0, 0, 1}});
  EXPECT_EQ(report.classes(0).strongest_confusion().index(), 1);
}

TEST(Classwise, ListsOnlyDifferencesThatSurviveHolm) {
  // 90, 70 and 68 of 100. The p-values are sums of exact fractions (Python's fractions and comb):
  // .000650410707603421, .00020895344155288502 and .8786; Holm multiplies by 2, 3 and 1.
  const v1::ConditionReport report = CleanReport({{90, 10, 0}, {30, 70, 0}, {32, 0, 68}});
  ASSERT_EQ(report.significant_differences_size(), 2);
  const v1::ClassDifference& first = report.significant_differences(0);
  EXPECT_EQ(first.first(), 0);
  EXPECT_EQ(first.second(), 1);
  EXPECT_NEAR(first.accuracy_difference(), 0.2, 1e-12);
  EXPECT_NEAR(first.adjusted_p_value(), 2 * 0.000650410707603421, 1e-12);
  const v1::ClassDifference& second = report.significant_differences(1);
  EXPECT_EQ(second.first(), 0);
  EXPECT_EQ(second.second(), 2);
  EXPECT_NEAR(second.adjusted_p_value(), 3 * 0.00020895344155288502, 1e-12);
}

TEST(Classwise, ADifferenceThatOnlyTheUncorrectedTestSeesIsNotListed) {
  // 10/10 against 5/10 has p = .0325, which three comparisons turn into .0975.
  const v1::ConditionReport report = CleanReport({{10, 0, 0}, {5, 5, 0}, {2, 0, 8}});
  EXPECT_LT(FisherExact(20).TwoSidedPValue(10, 10, 5, 10), 0.05);
  EXPECT_THAT(report.significant_differences(), IsEmpty());
}

TEST(Classwise, IntervalsAndTestsFollowTheConfidenceLevel) {
  ReportInput input = Input(3, {Clean(FromConfusionMatrix({{10, 0, 0}, {5, 5, 0}, {2, 0, 8}}))});
  input.confidence_level = 0.5;
  const v1::ConditionReport report = OnlyCondition(input);
  const Interval half = ClopperPearson(23, 30, 0.5);
  EXPECT_DOUBLE_EQ(report.accuracy().lower(), half.lower);
  EXPECT_DOUBLE_EQ(report.accuracy().upper(), half.upper);
  EXPECT_GT(report.significant_differences_size(), 0);
}

TEST(Classwise, SkipsComparisonsBeyondTheLimit) {
  const auto extremes = [](int classes) {
    std::vector<v1::Outcome> outcomes;
    for (int k = 0; k < 60; ++k) {
      outcomes.push_back(Predicted(k, 0, 0));
      outcomes.push_back(Predicted(1000 + k, 1, 0));
    }
    return OnlyCondition(Input(classes, {Clean(outcomes)})).significant_differences_size();
  };
  EXPECT_EQ(extremes(kMaxComparedClasses), 1);
  EXPECT_EQ(extremes(kMaxComparedClasses + 1), 0);
}

TEST(Classwise, SharesOfErrorsSumToOne) {
  // A fixed pseudo-random matrix per size.
  uint32_t state = 12345;
  const auto next = [&] {
    state = state * 1664525 + 1013904223;
    return static_cast<int>(state >> 24) % 20;
  };
  for (size_t classes : {2, 3, 10, 57}) {
    std::vector<std::vector<int>> matrix(classes, std::vector<int>(classes));
    for (auto& row : matrix) {
      for (int& count : row) count = next();
    }
    const v1::ConditionReport report = CleanReport(matrix);
    double sum = 0;
    int64_t false_positives = 0;
    for (const v1::ClassReport& c : report.classes()) {
      sum += c.cfps().value();
      false_positives += c.false_positives();
      EXPECT_LE(c.cfps().lower(), c.cfps().value());
      EXPECT_GE(c.cfps().upper(), c.cfps().value());
    }
    EXPECT_NEAR(sum, 1, 1e-12);
    EXPECT_EQ(false_positives, report.samples() - report.correct());
  }
}

}  // namespace
}  // namespace assay::report
