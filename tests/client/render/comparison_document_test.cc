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

v1::Estimate MakeEstimate(double value) {
  v1::Estimate estimate;
  estimate.set_value(value);
  estimate.set_lower(value - 0.0625);
  estimate.set_upper(value + 0.0625);
  estimate.set_samples(2000);
  return estimate;
}

// What kept vectors tell of the pair.
void AddVectors(v1::PairComparison* pair) {
  *pair->mutable_all()->mutable_divergence() = MakeEstimate(0.125);
  *pair->mutable_cka() = MakeEstimate(0.75);
  *pair->mutable_neighbours() = MakeEstimate(0.25);
  v1::RetrainedHeads& heads = *pair->mutable_retrained_heads();
  heads.set_trained_on(999);
  heads.set_judged_on(1000);
  *heads.mutable_agreement_before() = MakeRate(600, 1000);
  *heads.mutable_agreement_after() = MakeRate(900, 1000);
  *heads.mutable_first_accuracy_before() = MakeRate(500, 1000);
  *heads.mutable_first_accuracy_after() = MakeRate(510, 1000);
  *heads.mutable_second_accuracy_before() = MakeRate(400, 1000);
  *heads.mutable_second_accuracy_after() = MakeRate(490, 1000);
}

TEST(ComparisonDocument, ShowsWhatKeptVectorsTell) {
  v1::Comparison comparison = Comparison(2);
  comparison.mutable_evaluations(1)->set_features("penultimate");
  v1::PairComparison& pair = *comparison.mutable_conditions(0)->mutable_pairs(0);
  AddVectors(&pair);
  *pair.mutable_classes(0)->mutable_outcomes()->mutable_divergence() = MakeEstimate(0.5);
  const std::string text = Text(comparison);
  EXPECT_THAT(text, ContainsRegex("features of"));
  EXPECT_THAT(text, ContainsRegex("B +evaluations/b +models/b +penultimate"));
  EXPECT_THAT(text, ContainsRegex("pair +JS bits +linear CKA +10-NN Jaccard\n"
                                  "A B +0.125 .0.062, 0.188. +0.750 .0.688, 0.812. +"
                                  "0.250 .0.188, 0.312.\n"))
      << text;
  EXPECT_THAT(text, ContainsRegex("A B +999 +1,000 +60.0 .12.5, 87.5. +90.0 .12.5, 87.5. +"
                                  "50.0 -> 51.0 +40.0 -> 49.0"))
      << text;
  EXPECT_THAT(text, ContainsRegex("cat .* 0.500 .0.438, 0.562."));
  EXPECT_THAT(Text(Comparison(2)), Not(HasSubstr("JS bits")));
}

TEST(ComparisonDocument, SaysOnceWhyVectorsAreMissingEverywhere) {
  v1::Comparison comparison = Comparison(2);
  *comparison.add_conditions() = comparison.conditions(0);
  for (v1::ConditionComparison& condition : *comparison.mutable_conditions()) {
    v1::PairComparison& pair = *condition.mutable_pairs(0);
    pair.mutable_all()->mutable_divergence()->set_undefined_reason("none kept");
    for (std::string* const reason : {pair.mutable_cka()->mutable_undefined_reason(),
                                      pair.mutable_neighbours()->mutable_undefined_reason(),
                                      pair.mutable_retrained_heads()->mutable_undefined_reason()}) {
      *reason = "no layer";
    }
  }
  comparison.mutable_conditions(1)->mutable_pairs(0)->mutable_cka()->set_undefined_reason("other");
  const std::string text = Text(comparison);
  const std::vector<std::string> once = absl::StrSplit(text, "softmax: - (none kept)");
  EXPECT_EQ(once.size(), 2u) << text;
  EXPECT_THAT(text, HasSubstr("features: - (no layer)"));
  EXPECT_THAT(text, HasSubstr("features: - (other)"));
}

TEST(ComparisonDocument, ShowsWhichAttacksTransfer) {
  v1::Comparison comparison = Comparison(2);
  v1::TransferMatrix& matrix = *comparison.add_transfers();
  (*matrix.mutable_parameters())["eps"] = "8/255";
  for (int i = 0; i < 2; ++i) {
    v1::TransferMatrix::Row& row = *matrix.add_rows();
    row.set_surrogate(i);
    row.set_condition("attack/transfer/" + std::to_string(i));
    *row.add_success_rates() = MakeRate(900 - 100 * i, 1000);
    *row.add_success_rates() = MakeRate(300, 1000);
  }
  EXPECT_THAT(Text(comparison),
              ContainsRegex("transfer  eps=8/255\n\nmade on +fools A % +fools B %\n"
                            "A +90.0 .12.5, 87.5. +30.0 .12.5, 87.5.\nB +80.0"));
  EXPECT_THAT(RenderComparison(comparison, Format::kCsv, false),
              HasSubstr("\nattack/transfer/1,evaluations/b,evaluations/a,,,transfer_success,0.8,"
                        "0.125,0.875,800,1000\n"));
}

TEST(ComparisonCsv, HasARowForEveryNumber) {
  v1::Comparison comparison = Comparison(2);
  v1::OracleModel& model = *comparison.mutable_conditions(0)->mutable_oracle()->add_models();
  *model.mutable_accuracy() = MakeRate(900, 1000);
  AddVectors(comparison.mutable_conditions(0)->mutable_pairs(0));
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
           pair + ",,divergence,0.125,0.0625,0.1875,,2000",
           pair + ",,cka,0.75,0.6875,0.8125,,2000",
           pair + ",,neighbours,0.25,0.1875,0.3125,,2000",
           pair + ",,retrained_trained_on,,,,999,1999",
           pair + ",,retrained_agreement_after,0.9,0.125,0.875,900,1000",
           pair + ",,retrained_second_accuracy_after,0.49,0.125,0.875,490,1000",
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
