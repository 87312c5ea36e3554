// How comparisons look, as text and as CSV.
#include "client/render/comparison_document.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "client/render/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay::render {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

v1::Rate MakeRate(int64_t numerator, int64_t denominator) {
  v1::Rate rate;
  rate.set_numerator(numerator);
  rate.set_denominator(denominator);
  if (denominator == 0) {
    rate.set_undefined_reason("none");
    return rate;
  }
  rate.set_value(static_cast<double>(numerator) / static_cast<double>(denominator));
  rate.set_lower(0.125);
  rate.set_upper(0.875);
  return rate;
}

v1::PairedOutcomes Outcomes(double difference, double p) {
  v1::PairedOutcomes outcomes;
  outcomes.set_samples(2000);
  outcomes.set_both_right(1100);
  outcomes.set_only_first_right(400);
  outcomes.set_only_second_right(300);
  outcomes.set_both_wrong(200);
  *outcomes.mutable_agreement() = MakeRate(1200, 2000);
  *outcomes.mutable_error_agreement() = MakeRate(0, 0);
  outcomes.mutable_error_consistency()->set_kappa(0.25);
  v1::AccuracyDifference& change = *outcomes.mutable_accuracy_difference();
  change.set_value(difference);
  change.set_lower(-0.075);
  change.set_upper(0.025);
  change.set_p_value(p);
  return outcomes;
}

// Of `count` evaluations named a, b, ...
v1::Comparison Comparison(int count) {
  v1::Comparison comparison;
  comparison.set_dataset("datasets/d");
  comparison.set_samples(2000);
  comparison.set_confidence_level(0.95);
  v1::ConditionComparison& condition = *comparison.add_conditions();
  condition.set_id("corruption/fog/3");
  for (int i = 0; i < count; ++i) {
    v1::ComparedEvaluation& evaluation = *comparison.add_evaluations();
    evaluation.set_name(std::string("evaluations/") + static_cast<char>('a' + i));
    evaluation.set_model(std::string("models/") + static_cast<char>('a' + i));
    *condition.add_accuracies() = MakeRate(1500 - 100 * i, 2000);
    for (int first = 0; first < i; ++first) {
      v1::PairComparison& pair = *condition.add_pairs();
      pair.set_first(first);
      pair.set_second(i);
      *pair.mutable_all() = Outcomes(-0.05 * (i - first), 0.001);
      if (first > 0) continue;
      v1::ClassComparison& cat = *pair.add_classes();
      cat.set_name("cat");
      *cat.mutable_outcomes() = Outcomes(0.0125, 0.03);
      cat.set_adjusted_p_value(0.06);
      *cat.mutable_first_cfps() = MakeRate(1, 4);
      *cat.mutable_second_cfps() = MakeRate(1, 2);
      cat.set_cfps_change(0.25);
    }
  }
  return comparison;
}

std::string Text(const v1::Comparison& comparison, bool colour = false) {
  return RenderComparison(comparison, Format::kTable, colour);
}

TEST(ComparisonDocument, NamesTheModelsAndTellsWhatTheSecondChanges) {
  const std::string text = Text(Comparison(2));
  EXPECT_THAT(text, HasSubstr("comparison  datasets/d, 2,000 samples, seed 0, intervals of 95 %"));
  EXPECT_THAT(text, ContainsRegex("A +evaluations/a +models/a"));
  EXPECT_THAT(text, ContainsRegex("B +evaluations/b +models/b"));
  EXPECT_THAT(text, HasSubstr("B - A points"));
  EXPECT_THAT(text, ContainsRegex("corruption/fog/3 +75.0 .12.5, 87.5. +70.0 .12.5, 87.5. +"
                                  "-5.0 .-7.5, .2.5. +0.001"))
      << text;
  EXPECT_THAT(text, ContainsRegex("A B +1,100 +400 +300 +200 +60.0 .12.5, 87.5. +- +0.250 +-5.0"));
  EXPECT_THAT(text, ContainsRegex("cat +2,000 +400 +300 +.1.2 .-7.5, .2.5. +0.06 +60.0 +- +0.250 +"
                                  "25.0 +50.0 +.25.0"))
      << text;
  EXPECT_THAT(text, Not(HasSubstr("row - column")));
}

TEST(ComparisonDocument, OfMoreThanTwoHasMatrices) {
  const std::string text = Text(Comparison(3));
  EXPECT_THAT(text, HasSubstr("C - A points"));
  EXPECT_THAT(text, ContainsRegex("agree % +A +B +C\nA +60.0 +60.0\nB +60.0 +60.0\n"));
  // Row less column: A is five points above B, and ten above C.
  EXPECT_THAT(text, ContainsRegex("row - column points +A +B +C\nA +.5.0 +.10.0\n"
                                  "B +-5.0 +.5.0\nC +-10.0 +-5.0\n"))
      << text;
}

TEST(ComparisonDocument, OnlyWhatIsNoChanceHasAColour) {
  const std::string text = Text(Comparison(2), true);
  EXPECT_THAT(text, HasSubstr("\x1b[31m-5.0"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b[32m")));
}

TEST(ComparisonDocument, SaysWhatWasLeftOutAndWhatToKnow) {
  v1::Comparison comparison = Comparison(2);
  v1::LeftOutCondition& left_out = *comparison.add_left_out();
  left_out.set_id("attack/pgd/linf/8-255");
  left_out.add_evaluations("evaluations/b");
  comparison.add_notes("a note");
  comparison.mutable_conditions(0)->set_own_images(true);
  const std::string text = Text(comparison);
  EXPECT_THAT(text, HasSubstr("left out: attack/pgd/linf/8-255, only in evaluations/b"));
  EXPECT_THAT(text, HasSubstr("note: a note"));
  EXPECT_THAT(text, HasSubstr("corruption/fog/3  each under its own attack"));
}

TEST(ComparisonDocument, ShowsTheOracleOrWhyItSaysNothing) {
  v1::Comparison comparison = Comparison(2);
  comparison.set_oracle("evaluations/b");
  v1::OracleComparison& oracle = *comparison.mutable_conditions(0)->mutable_oracle();
  v1::OracleModel& model = *oracle.add_models();
  *model.mutable_accuracy() = MakeRate(900, 1000);
  model.set_fmr(0.95);
  EXPECT_THAT(Text(comparison), ContainsRegex("where B is right +accuracy % +FMR %\n"
                                              "A +90.0 .12.5, 87.5. +95.0\n"));
  oracle.clear_models();
  oracle.set_undefined_reason("not the same images");
  EXPECT_THAT(Text(comparison), HasSubstr("oracle: - (not the same images)"));
}

TEST(ComparisonCsv, HasARowForEveryNumber) {
  v1::Comparison comparison = Comparison(2);
  v1::OracleModel& model = *comparison.mutable_conditions(0)->mutable_oracle()->add_models();
  *model.mutable_accuracy() = MakeRate(900, 1000);
  const std::string csv = RenderComparison(comparison, Format::kCsv, false);
  const std::string pair = "corruption/fog/3,evaluations/a,evaluations/b,";
  for (const std::string& line : std::vector<std::string>{
           "corruption/fog/3,evaluations/b,,,,accuracy,0.7,0.125,0.875,1400,2000",
           "corruption/fog/3,evaluations/a,,,,oracle_accuracy,0.9,0.125,0.875,900,1000",
           "corruption/fog/3,evaluations/a,,,,fmr,,,,,",
           pair + ",,both_right,,,,1100,2000",
           pair + ",,error_agreement,,,,0,0",
           pair + ",,error_consistency,0.25,,,,",
           pair + ",,accuracy_difference,-0.05,-0.075,0.025,,",
           pair + ",,p_value,0.001,,,,",
           pair + "0,cat,adjusted_p_value,0.06,,,,",
           pair + "0,cat,second_cfps,0.5,0.125,0.875,1,2",
           pair + "0,cat,cfps_change,0.25,,,,",
       }) {
    EXPECT_THAT(csv, HasSubstr("\n" + line + "\n"));
  }
  for (const auto line : absl::StrSplit(csv, '\n', absl::SkipEmpty())) {
    EXPECT_EQ(std::count(line.begin(), line.end(), ','), 10) << line;
  }
}

}  // namespace
}  // namespace assay::render
