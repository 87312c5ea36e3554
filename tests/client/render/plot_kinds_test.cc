#include "client/render/plot_kinds.h"

#include "client/render/page/plot_file.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/client/render/made_up_report.h"
#include "tests/client/render/well_formed.h"

namespace assay::render {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::Report Under(const std::vector<std::string>& conditions) {
  MadeUp made_up = Cifar();
  made_up.samples = 200;
  made_up.conditions = conditions;
  return MadeUpReport(made_up);
}

std::string Message(const v1::Report& report, const std::string& kind, const std::string& part) {
  return std::string(PlotOfKind(report, kind, part).status().message());
}

TEST(PlotKindsTest, EveryKindIsDrawn) {
  const v1::Report report =
      Under({"clean", "attack/pgd:eps=2/255+8/255", "smoothing/gaussian:sigma=0.25,n0=10,n=100"});
  EXPECT_THAT(PlotKindNames(), ElementsAre("accuracy", "budget", "certified", "pa"));
  for (const std::string& kind : PlotKindNames()) {
    const auto plot = PlotOfKind(report, kind, "");
    ASSERT_TRUE(plot.ok()) << plot.status();
    for (const PlotColours colours :
         {PlotColours::kLight, PlotColours::kDark, PlotColours::kPrint}) {
      const std::string svg = PlotFile(*plot, colours);
      EXPECT_THAT(svg, StartsWith("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "
                                  "xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox"));
      EXPECT_EQ(FirstFlaw(svg.substr(svg.find('\n') + 1)), "") << kind;
      // What not every program knows.
      EXPECT_THAT(svg, Not(HasSubstr("var(")));
      EXPECT_EQ(PlotFile(*plot, colours), svg);
    }
  }
}

TEST(PlotKindsTest, ColoursAreThoseOfPages) {
  const auto plot = PlotOfKind(Under({"clean"}), "accuracy", "");
  ASSERT_TRUE(plot.ok());
  EXPECT_THAT(PlotFile(*plot, PlotColours::kLight),
              AllOf(HasSubstr(".s0 .mark { fill: #0072b2; stroke: #ffffff; stroke-width: .8; }"),
                    HasSubstr("fill=\"#ffffff\""), HasSubstr(".plot text { fill: #1b1e23; }")));
  EXPECT_THAT(PlotFile(*plot, PlotColours::kDark),
              AllOf(HasSubstr(".s0 .mark { fill: #56b4e9; stroke: #14171c; stroke-width: .8; }"),
                    HasSubstr("fill=\"#14171c\"")));
  EXPECT_THAT(PlotFile(*plot, PlotColours::kPrint),
              AllOf(HasSubstr(".plot text { fill: #000000; }"), Not(HasSubstr("<rect"))));
}

TEST(PlotKindsTest, OfSeveralOneIsNamed) {
  const v1::Report report =
      Under({"clean", "attack/pgd:eps=2/255+8/255", "attack/pgd:norm=l2,eps=0.25+0.5",
             "smoothing/gaussian:sigma=0.25+0.5,n0=10,n=100"});
  EXPECT_TRUE(PlotOfKind(report, "budget", "l2").ok());
  EXPECT_THAT(PlotFile(*PlotOfKind(report, "budget", "linf"), PlotColours::kLight),
              HasSubstr("against the Linf budget"));
  EXPECT_THAT(Message(report, "budget", ""), HasSubstr("say which: linf, l2"));
  EXPECT_THAT(Message(report, "budget", "l1"),
              HasSubstr("'l1' is none of those that are there: linf, l2"));
  EXPECT_THAT(Message(report, "pa", ""), HasSubstr("smoothing/gaussian/"));
  EXPECT_THAT(Message(report, "accuracy", "linf"), HasSubstr("there is only one"));
}

TEST(PlotKindsTest, WhatIsMissingIsSaid) {
  const v1::Report report = Under({"sequence/rotate"});
  for (const auto& [kind, needs] : std::vector<std::pair<std::string, std::string>>{
           {"accuracy", "any condition but a sequence"},
           {"budget", "two budgets or more"},
           {"certified", "smoothing/gaussian:sigma=0.25"},
           {"pa", "smoothing/gaussian:sigma=0.25"}}) {
    EXPECT_EQ(ReasonOf(PlotOfKind(report, kind, "").status()), Reason::kWrongState);
    EXPECT_THAT(Message(report, kind, ""), AllOf(HasSubstr("evaluations/demo"), HasSubstr(needs)));
  }
  EXPECT_THAT(Message(report, "certifed", ""), HasSubstr("did you mean certified?"));
  EXPECT_THAT(Message(report, "xyzzy!", ""), HasSubstr("known are accuracy, budget"));
}

}  // namespace
}  // namespace assay::render
