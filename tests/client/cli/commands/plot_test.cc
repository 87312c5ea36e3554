// `assay plot`.
#include <string>

#include "gmock/gmock.h"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class PlotTest : public ProgramTest {
 protected:
  PlotTest() {
    v1::ConditionReport& clean = *state()->report.mutable_conditions(0);
    clean.set_family("clean");
    clean.mutable_accuracy()->set_value(0.75);
    clean.mutable_accuracy()->set_lower(0.5);
    clean.mutable_accuracy()->set_upper(0.875);
    state()->report.set_evaluation("evaluations/e");
  }
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
};

TEST_F(PlotTest, WritesTheFormatThatTheNameAsksFor) {
  for (const auto& [name, begin] : std::vector<std::pair<std::string, std::string>>{
           {"a.svg", "<?xml"}, {"a.png", "\x89PNG\r\n"}, {"a.pdf", "%PDF-"}}) {
    const Result result = Run({"plot", "accuracy", "e", "-o", Path(name)});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(Read(Path(name)), StartsWith(begin));
  }
  EXPECT_EQ(state()->reports.back().name(), "evaluations/e");
  EXPECT_EQ(state()->reports.back().confidence_level(), 0.95);
}

TEST_F(PlotTest, OptionsAreTaken) {
  const Result result = Run({"plot", "accuracy", "evaluations/e", "-o", Path("a.png"), "--scale",
                             "1", "--colours", "dark", "--confidence-level", "0.9"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(state()->reports.back().confidence_level(), 0.9);
  // 640 pixels wide.
  EXPECT_EQ(Read(Path("a.png")).substr(16, 4), std::string("\0\0\2\x80", 4));
}

TEST_F(PlotTest, WhatIsWrongIsSaidBeforeTheServerIsAsked) {
  struct Case {
    std::vector<std::string> words;
    std::string message;
  };
  for (const Case& wrong : std::vector<Case>{
           {{"plot", "acuracy", "e", "-o", Path("a.png")}, "did you mean accuracy?"},
           {{"plot", "accuracy", "e", "-o", Path("a.jpeg")}, ".svg, .png or .pdf"},
           {{"plot", "accuracy", "e", "-o", "/nowhere/a.png"}, "cannot write to /nowhere/a.png"},
           {{"plot", "accuracy", "e", "-o", Path("a.svg"), "--scale", "2"}, "SVG has any size"},
           {{"plot", "accuracy", "e", "-o", Path("a.png"), "--scale", "nan"}, "--scale"},
           {{"plot", "accuracy", "e", "-o", Path("a.png"), "--scale", "-1"}, "from 0.1 to 50"},
           {{"plot", "accuracy", "e", "-o", Path("a.png"), "--colours", "red"}, "--colours"},
           {{"plot", "accuracy", "e"}, "--output"}}) {
    const Result result = Run(wrong.words);
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr(wrong.message));
  }
  EXPECT_EQ(state()->calls["GetReport"], 0);
}

TEST_F(PlotTest, WhatTheEvaluationLacksIsSaid) {
  const Result result = Run({"plot", "certified", "e", "-o", Path("a.png")});
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, HasSubstr("it needs a condition that certifies"));
  EXPECT_EQ(Read(Path("a.png")), "");
}

TEST_F(PlotTest, HelpListsTheKinds) {
  const Result result = Run({"plot", "--help"});
  EXPECT_THAT(result.out, HasSubstr("budget: robust accuracy against the budget"));
}

}  // namespace
}  // namespace assay::cli
