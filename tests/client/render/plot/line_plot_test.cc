#include "client/render/plot/line_plot.h"

#include <cmath>
#include <utility>

#include "gmock/gmock.h"

namespace assay::plot {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Two points on axes of which a unit is 37.6 positions wide, and a percent 2.48 high.
LinePlot Small() {
  LinePlot plot;
  plot.title = "Robust accuracy";
  plot.description = "One line.";
  plot.x_title = "eps";
  plot.y_title = "%";
  plot.x = Range{0, 10};
  plot.y = Range{0, 100};
  Series series;
  series.name = "pgd";
  series.points = {{0, 100, 90, 100, "clean"}, {5, 50, 25, 75, "half"}};
  plot.series = {series};
  return plot;
}

std::string Text(const LinePlot& plot) { return Draw(plot).Take(); }

TEST(LinePlotTest, LineGoesThroughItsPoints) {
  const std::string text = Text(Small());
  EXPECT_THAT(text, HasSubstr("<g class=\"s0\"><path class=\"line\" d=\"M50 10L238 134\"/>"));
  EXPECT_THAT(text, HasSubstr("<path class=\"mark\" d=\"M238 134m-4 0a"));
  EXPECT_THAT(text, HasSubstr("<title>half</title>"));
  EXPECT_THAT(text, HasSubstr(">pgd</text>"));
  EXPECT_THAT(text, HasSubstr(">eps</text>"));
}

TEST(LinePlotTest, StepsHoldTheirValueUntilTheNextPoint) {
  LinePlot plot = Small();
  plot.series[0].join = Series::Join::kSteps;
  EXPECT_THAT(Text(plot), HasSubstr("class=\"line\" d=\"M50 10H238V134\""));
}

TEST(LinePlotTest, StepsBackHoldTheirValueBackToThePointBefore) {
  LinePlot plot = Small();
  plot.series[0].join = Series::Join::kStepsBack;
  EXPECT_THAT(Text(plot), HasSubstr("class=\"line\" d=\"M50 10V134H238\""));
}

TEST(LinePlotTest, BandGoesAlongTheUpperEndsAndBackAlongTheLower) {
  LinePlot plot = Small();
  plot.series[0].uncertainty = Series::Uncertainty::kBand;
  EXPECT_THAT(Text(plot), HasSubstr("class=\"band\" d=\"M50 10L238 72L238 196L50 34.8Z\""));
  plot.series[0].join = Series::Join::kSteps;
  EXPECT_THAT(Text(plot), HasSubstr("class=\"band\" d=\"M50 10H238V72L238 196V34.8H50Z\""));
  plot.series[0].join = Series::Join::kStepsBack;
  EXPECT_THAT(Text(plot), HasSubstr("class=\"band\" d=\"M50 10V72H238L238 196H50V34.8Z\""));
}

TEST(LinePlotTest, WhiskersGoFromEndToEnd) {
  LinePlot plot = Small();
  plot.series[0].uncertainty = Series::Uncertainty::kWhiskers;
  EXPECT_THAT(Text(plot), HasSubstr("class=\"whisker\" d=\"M50 34.8V10M238 196V72\""));
}

TEST(LinePlotTest, WhatIsNotFiniteIsLeftOut) {
  LinePlot plot = Small();
  plot.series[0].points.push_back({7, std::nan(""), 0, 0, ""});
  const std::string text = Text(plot);
  EXPECT_THAT(text, HasSubstr("d=\"M50 10L238 134\""));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
}

TEST(LinePlotTest, NoPointsLeaveTheAxes) {
  LinePlot plot;
  plot.title = "Nothing";
  const std::string text = Text(plot);
  EXPECT_THAT(text, HasSubstr("<g class=\"axis\">"));
  EXPECT_THAT(text, Not(HasSubstr("class=\"line\"")));
}

TEST(LinePlotTest, NamesAreEscaped) {
  LinePlot plot = Small();
  plot.series[0].name = "</svg><script>";
  plot.series[0].points[0].tip = "\"&'<";
  const std::string text = Text(plot);
  EXPECT_THAT(text, HasSubstr("&lt;/svg&gt;&lt;script&gt;"));
  EXPECT_THAT(text, Not(HasSubstr("<script>")));
}

}  // namespace
}  // namespace assay::plot
