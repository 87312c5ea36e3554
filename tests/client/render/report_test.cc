#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "absl/strings/str_split.h"
#include "client/render/render.h"
#include "client/render/text.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/client/render/sample_report.h"

namespace assay::render {
namespace {

using ::testing::HasSubstr;

// The text of tests/client/render/golden/NAME. The files were read and checked by eye against
// sample_report.cc.
std::string Golden(const std::string& name) {
  std::ifstream file(ASSAY_SOURCE_DIR "/tests/client/render/golden/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ReportTest, TableIsTheGoldenText) {
  EXPECT_EQ(RenderReport(SampleReport(), Format::kTable), Golden("report.txt"));
}

TEST(ReportTest, MarkdownIsTheGoldenText) {
  EXPECT_EQ(RenderReport(SampleReport(), Format::kMarkdown), Golden("report.md"));
}

TEST(ReportTest, CsvIsTheGoldenText) {
  EXPECT_EQ(RenderReport(SampleReport(), Format::kCsv), Golden("report.csv"));
}

TEST(FormatTest, EveryNameReadsBackAndATableHasEveryForm) {
  const Table table{{{"name", false}, {"count"}}, {{"a", "1,000"}}};
  const nlohmann::ordered_json json = {{"name", "a"}, {"count", 1000}};
  const std::map<std::string, std::string> forms = {
      {"table", "name  count\na     1,000\n"},
      {"json", "{\n  \"name\": \"a\",\n  \"count\": 1000\n}\n"},
      {"csv", "name,count\na,\"1,000\"\n"},
      {"markdown", "| name | count |\n| --- | ---: |\n| a | 1,000 |\n"},
      // Of gates alone, and refused elsewhere.
      {"junit", "name  count\na     1,000\n"}};
  EXPECT_EQ(FormatNames().size(), forms.size() + 1);
  for (const std::string& name : FormatNames()) {
    const auto format = FormatNamed(name);
    ASSERT_TRUE(format.has_value()) << name;
    const std::string text = RenderTable(table, json, *format, false);
    if (name == "html") {
      EXPECT_THAT(text, HasSubstr("<th scope=\"row\">a</th><td class=\"n\">1,000</td>"));
    } else {
      EXPECT_EQ(text, forms.at(name)) << name;
    }
  }
  EXPECT_EQ(FormatNamed("xml"), std::nullopt);
}

TEST(ReportTest, NotesComeBeforeTheNumbers) {
  v1::Report report = SampleReport();
  report.add_notes("there are no samples of horse");
  for (const Format format : {Format::kTable, Format::kMarkdown}) {
    const std::string text = RenderReport(report, format);
    const size_t note = text.find("note: there are no samples of horse");
    ASSERT_NE(note, std::string::npos) << text;
    EXPECT_LT(note, text.find("accuracy"));
  }
  const auto json = nlohmann::json::parse(RenderReport(report, Format::kJson));
  EXPECT_EQ(json["notes"], nlohmann::json({"there are no samples of horse"}));
}

TEST(ReportTest, TableFitsInAHundredColumns) {
  v1::Report report = SampleReport();
  // The widest that CIFAR-10 has.
  report.mutable_conditions(0)->mutable_classes(0)->set_name("automobile");
  report.mutable_conditions(0)->mutable_classes(1)->mutable_strongest_confusion()->set_name(
      "automobile");
  for (const absl::string_view line : absl::StrSplit(RenderReport(report, Format::kTable), '\n')) {
    EXPECT_LE(DisplayWidth(line), 100u) << line;
  }
}

TEST(ReportTest, JsonHasBareMatrixRowsAndWholeNumbers) {
  const std::string text = RenderReport(SampleReport(), Format::kJson);
  EXPECT_THAT(text, HasSubstr("\n  \"evaluation\": \"evaluations/demo\","));
  EXPECT_EQ(text.back(), '\n');
  const auto json = nlohmann::json::parse(text);
  const auto& clean = json["conditions"][0];
  EXPECT_EQ(clean["confusion_matrix"].dump(), "[[750,200,0],[20,380,0],[0,0,0]]");
  // More than a double could hold.
  EXPECT_TRUE(clean["samples"].is_number_integer());
  EXPECT_EQ(clean["samples"].get<int64_t>(), 9007199254740993);
  EXPECT_EQ(clean["accuracy"]["value"], 0.8);
  EXPECT_FALSE(clean["classes"][2]["accuracy"].contains("value"));
  EXPECT_EQ(clean["classes"][2]["accuracy"]["undefined_reason"], "no samples");
}

TEST(ReportTest, PredictionsHaveNoRadiiOfClasses) {
  v1::Report report = SampleReport();
  EXPECT_THAT(RenderReport(report, Format::kMarkdown),
              HasSubstr("| cat | 0.3 | 0.25 | 2 | 10.0 [1.2, 31.7] |"));
  report.mutable_conditions(2)->mutable_certification()->set_mode("predict");
  EXPECT_THAT(RenderReport(report, Format::kMarkdown),
              HasSubstr("| cat | - | - | 2 | 10.0 [1.2, 31.7] |"));
}

TEST(ReportTest, OneConditionNeedsNoSummary) {
  v1::Report report = SampleReport();
  report.mutable_conditions()->DeleteSubrange(1, 2);
  EXPECT_EQ(RenderReport(report, Format::kTable).find("worst class"), std::string::npos);
}

TEST(ReportTest, ReportWithoutAnythingIsStillAReport) {
  v1::Report report;
  report.add_conditions()->set_id("clean");
  for (const Format format :
       {Format::kTable, Format::kJson, Format::kCsv, Format::kMarkdown, Format::kHtml}) {
    EXPECT_FALSE(RenderReport(report, format, {}, {/*colour=*/true}).empty());
  }
}

}  // namespace
}  // namespace assay::render
