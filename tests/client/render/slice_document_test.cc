#include "client/render/slice_document.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/render/render.h"
#include "client/render/slice_page.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/client/render/sample_report.h"
#include "tests/client/render/well_formed.h"

namespace assay::render {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

v1::Rate RateOf(int64_t right, int64_t of) {
  v1::Rate rate;
  rate.set_numerator(right);
  rate.set_denominator(of);
  if (of == 0) return rate;
  rate.set_value(static_cast<double>(right) / static_cast<double>(of));
  rate.set_lower(rate.value() / 2);
  rate.set_upper((1 + rate.value()) / 2);
  return rate;
}

void AddSlice(v1::SliceColumn& column, const std::string& value, int64_t right, int64_t of,
              double p_value = -1) {
  v1::Slice& slice = *column.add_slices();
  slice.set_value(value);
  slice.set_samples(of);
  slice.set_correct(right);
  *slice.mutable_accuracy() = RateOf(right, of);
  slice.set_few(of < 10);
  if (p_value >= 0) slice.set_adjusted_p_value(p_value);
}

// Two columns of the sample report's first condition, one of hostile names.
v1::Report Report() {
  v1::Report report = SampleReport();
  v1::ConditionReport& clean = *report.mutable_conditions(0);
  v1::SliceColumn& lighting = *clean.add_slices();
  lighting.set_name("lighting");
  AddSlice(lighting, "night", 20, 40, 0.0012);
  AddSlice(lighting, "fog, dense", 28, 40, 0.5);
  AddSlice(lighting, "day", 38, 40, 1e-9);
  AddSlice(lighting, "dawn", 1, 3);
  AddSlice(lighting, "never", 0, 0);
  v1::SliceColumn& hostile = *clean.add_slices();
  hostile.set_name("<script>alert(1)</script>");
  AddSlice(hostile, "\"><img src=x onerror=alert(2)>\x1b[2J", 24, 40, 0.9);
  v1::SliceColumn& confidence = *clean.add_slices();
  confidence.set_name("confidence");
  confidence.set_built_in(true);
  confidence.set_undefined_reason("the evaluation does not have the condition clean");
  return report;
}

TEST(SliceDocumentTest, TextShowsTheWorstAndHowManyMoreThereAre) {
  const std::string text = RenderReport(Report(), Format::kTable);
  EXPECT_THAT(text, HasSubstr("slice "));
  EXPECT_THAT(text, HasSubstr("lighting=night"));
  EXPECT_THAT(text, HasSubstr("50.0 [25.0, 75.0]"));
  EXPECT_THAT(text, HasSubstr("0.0012"));
  EXPECT_THAT(text, HasSubstr("lighting=fog, dense"));
  EXPECT_THAT(text, Not(HasSubstr("lighting=day")));
  EXPECT_THAT(text, HasSubstr("the worst 3 of 5 slices, 1 of them of fewer than 10 samples; "
                              "--all-slices shows all"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b[2J")));
}

TEST(SliceDocumentTest, AllAreShownWhereThatIsAskedFor) {
  const std::string text = RenderReport(Report(), Format::kTable, {}, {false, /*all_slices=*/true});
  EXPECT_THAT(text, AllOf(HasSubstr("lighting=day"), HasSubstr("lighting=dawn")));
  EXPECT_THAT(text, HasSubstr(" few\n"));
  // Nothing is known of what nobody has.
  EXPECT_THAT(text, Not(HasSubstr("lighting=never")));
  EXPECT_THAT(text, Not(HasSubstr("--all-slices")));
  EXPECT_THAT(text, HasSubstr("no slices by confidence: the evaluation does not"));
  EXPECT_THAT(RenderReport(Report(), Format::kMarkdown, {}, {false, /*all_slices=*/true}),
              HasSubstr("| lighting=day |"));
}

TEST(SliceDocumentTest, ThoseOfFewSamplesAloneAreCounted) {
  v1::Report report = SampleReport();
  v1::SliceColumn& column = *report.mutable_conditions(0)->add_slices();
  column.set_name("x");
  AddSlice(column, "a", 1, 3);
  AddSlice(column, "b", 1, 2);
  EXPECT_THAT(RenderReport(report, Format::kTable),
              HasSubstr("2 slices, 2 of them of fewer than 10 samples; --all-slices"));
}

TEST(SliceDocumentTest, AReportWithoutSlicesIsAsItWas) {
  EXPECT_THAT(RenderReport(SampleReport(), Format::kTable), Not(HasSubstr("slice")));
  EXPECT_THAT(RenderReport(SampleReport(), Format::kHtml), Not(HasSubstr("Slices")));
}

TEST(SliceDocumentTest, CsvHasARowForEachSliceAndMetric) {
  const std::string csv = RenderReport(Report(), Format::kCsv);
  const std::string id = Report().conditions(0).id();
  EXPECT_THAT(csv,
              HasSubstr(absl::StrCat("\n", id, ",,lighting=night,accuracy,0.5,0.25,0.75,40\n")));
  EXPECT_THAT(csv,
              HasSubstr(absl::StrCat("\n", id, ",,lighting=night,adjusted_p_value,0.0012,,,40\n")));
  EXPECT_THAT(csv, HasSubstr(absl::StrCat("\n", id, ",,\"lighting=fog, dense\",accuracy,0.7,")));
  EXPECT_THAT(csv, HasSubstr(absl::StrCat("\n", id, ",,lighting=dawn,adjusted_p_value,,,,3\n")));
  EXPECT_THAT(csv, HasSubstr(absl::StrCat("\n", id, ",,lighting=never,accuracy,,,,0\n")));
}

TEST(SliceDocumentTest, JsonHasThemAll) {
  const auto json = nlohmann::json::parse(RenderReport(Report(), Format::kJson));
  const auto& slices = json.at("conditions")[0].at("slices");
  EXPECT_EQ(slices[0].at("slices")[0].at("value"), "night");
  EXPECT_EQ(slices[0].at("slices")[0].at("adjusted_p_value"), 0.0012);
}

TEST(SliceDocumentTest, ThePageHasASectionWithNothingHostileInIt) {
  const std::string page = RenderReport(Report(), Format::kHtml);
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_THAT(page, HasSubstr("<section id=\"slices\""));
  EXPECT_THAT(page, HasSubstr("Slices under clean"));
  EXPECT_THAT(page, HasSubstr("lighting=dawn"));
  EXPECT_THAT(page, HasSubstr("No slices by confidence"));
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST(SliceDocumentTest, ThePictureHasTheWorstWithColumnsTogether) {
  const v1::Report report = Report();
  const plot::IntervalPlot plot = SlicePlot(report.conditions(0));
  std::vector<std::string> names;
  for (const auto& row : plot.rows) names.push_back(row.name);
  ASSERT_EQ(names.size(), 4u);
  EXPECT_EQ(names[0], "lighting=night");
  EXPECT_EQ(names[1], "lighting=fog, dense");
  EXPECT_EQ(names[2], "lighting=day");
  EXPECT_NE(plot.rows[3].group, plot.rows[0].group);
  EXPECT_DOUBLE_EQ(*plot.rows[0].value, 50);
  EXPECT_DOUBLE_EQ(plot.rows[0].low, 25);
  ASSERT_TRUE(plot.reference.has_value());
}

}  // namespace
}  // namespace assay::render
