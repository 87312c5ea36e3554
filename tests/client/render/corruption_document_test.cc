// How corruption summaries, sensitivity maps and flip rates look.
#include "client/render/corruption_document.h"

#include "absl/strings/str_cat.h"
#include "client/render/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay::render {
namespace {

using testing::HasSubstr;

v1::Report Report() {
  v1::Report report;
  report.add_class_names("cat");
  report.add_class_names("dog");
  auto& summary = *report.mutable_corruption_summary();
  summary.set_mean_error(0.605);
  summary.set_mce(0.7638);
  summary.set_normaliser("AlexNet");
  auto& fog = *summary.add_corruptions();
  fog.set_corruption("fog");
  fog.add_severities(1);
  fog.add_severities(2.5);
  fog.add_errors(0.125);
  fog.add_errors(0.25);
  fog.set_mean_error(0.1875);
  fog.set_ce(0.5);
  fog.set_weakest_class(1);
  fog.set_strongest_sink(0);
  auto& snow = *summary.add_corruptions();
  snow.set_corruption("snow");
  snow.add_severities(1);
  snow.add_errors(0.5);
  snow.set_mean_error(0.5);
  snow.set_weakest_class(-1);
  snow.set_strongest_sink(-1);
  return report;
}

TEST(CorruptionSummary, IsATableBySeverityWithTheNormaliserNamed) {
  Document document;
  AddCorruptionSummary(Report(), {}, document);
  const std::string text = PrintText(document, false);
  EXPECT_THAT(text, HasSubstr("error %     1   2.5  mean    CE  rel. CE  hurts most  in favour of"))
      << text;
  EXPECT_THAT(text, testing::ContainsRegex("fog +12.5 +25.0 +18.8 +50.0 +- +dog +cat"));
  EXPECT_THAT(text, testing::ContainsRegex("snow +50.0 +- +50.0 +- +- +- +-"));
  EXPECT_THAT(text, HasSubstr("mCE 76.4 %, relative mCE -"));
  EXPECT_THAT(text, HasSubstr("5 severities: 60.5 %"));
  EXPECT_THAT(text, HasSubstr("normaliser: AlexNet"));
}

TEST(CorruptionSummary, SaysWhenTheBenchmarkIsNotComplete) {
  v1::Report report = Report();
  report.mutable_corruption_summary()->clear_mean_error();
  report.mutable_corruption_summary()->clear_mce();
  Document document;
  AddCorruptionSummary(report, {}, document);
  const std::string text = PrintText(document, false);
  EXPECT_THAT(text, HasSubstr("not here"));
  EXPECT_THAT(text, testing::Not(HasSubstr("mCE")));
  document.clear();
  AddCorruptionSummary(v1::Report(), {}, document);
  EXPECT_TRUE(document.empty());
}

TEST(SensitivityMap, HasTheAccuracyOfEveryCellWhereItIs) {
  v1::Report report;
  for (int cell : {0, 1, 3}) {
    v1::ConditionReport& condition = *report.add_conditions();
    condition.set_id(absl::StrCat("corruption/fog/3/grid=2,cell=", cell));
    (*condition.mutable_parameters())["grid"] = "2";
    (*condition.mutable_parameters())["cell"] = absl::StrCat(cell);
    condition.mutable_accuracy()->set_value(0.9 - 0.1 * cell);
  }
  v1::ConditionReport& whole = *report.add_conditions();
  whole.set_id("corruption/fog/3");
  (*whole.mutable_parameters())["grid"] = "1";
  (*whole.mutable_parameters())["cell"] = "0";
  Document document;
  AddSensitivityMaps(report, document);
  const std::string text = PrintText(document, false);
  EXPECT_THAT(text, HasSubstr("corruption/fog/3/grid=2 "));
  EXPECT_THAT(text, testing::ContainsRegex("0 +90.0 +80.0"));
  EXPECT_THAT(text, testing::ContainsRegex("1 +- +60.0"));
  EXPECT_EQ(document.size(), 2u);
}

TEST(SequenceSummary, HasTheMeanOverTheSequences) {
  v1::Report report;
  report.add_class_names("cat");
  report.add_class_names("dog");
  const auto add = [&](const std::string& id) -> v1::SequenceReport& {
    v1::ConditionReport& condition = *report.add_conditions();
    condition.set_id(id);
    return *condition.mutable_sequence();
  };
  v1::SequenceReport& rotate = add("sequence/rotate/30");
  rotate.mutable_flip_rate()->set_value(0.25);
  for (int i = 0; i < 2; ++i) {
    rotate.add_classes()->set_index(i);
    rotate.mutable_classes(i)->mutable_flip_rate()->set_value(0.1 * (i + 1));
  }
  report.add_conditions()->set_id("clean");
  Document document;
  AddSequenceSummary(report, {}, document);
  EXPECT_TRUE(document.empty()) << "one sequence has a report of its own";
  add("sequence/fog").mutable_flip_rate()->set_value(0.5);
  add("sequence/snow").mutable_flip_rate()->set_undefined_reason("no samples");
  AddSequenceSummary(report, {}, document);
  const std::string text = PrintText(document, false);
  EXPECT_THAT(text, testing::ContainsRegex("sequence/rotate/30 +25.0 +dog"));
  EXPECT_THAT(text, testing::ContainsRegex("sequence/snow +- +-"));
  EXPECT_THAT(text, testing::Not(HasSubstr("clean")));
  EXPECT_THAT(text, HasSubstr("mean flip rate: 37.5 %, unnormalised"));
}

TEST(Sequence, ShowsFlipRates) {
  v1::ConditionReport condition;
  (*condition.mutable_parameters())["compare"] = "first";
  condition.add_classes()->set_name("cat");
  auto& sequence = *condition.mutable_sequence();
  sequence.set_frames(31);
  sequence.mutable_flip_rate()->set_value(0.25);
  sequence.mutable_flip_rate()->set_denominator(3000);
  sequence.add_classes()->mutable_flip_rate()->set_value(0.125);
  Document document;
  AddSequence(condition, {}, document);
  const std::string text = PrintText(document, false);
  EXPECT_THAT(text, HasSubstr("flip rate 25.0 % of 3,000 steps (31 frames, each compared with the "
                              "first)"));
  EXPECT_THAT(text, testing::ContainsRegex("cat +12.5"));
}

}  // namespace
}  // namespace assay::render
