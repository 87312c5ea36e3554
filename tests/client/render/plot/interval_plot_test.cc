#include "client/render/plot/interval_plot.h"

#include "gmock/gmock.h"

namespace assay::plot {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(IntervalPlotTest, DrawsTheGoldenPicture) {
  IntervalPlot plot;
  plot.title = "Accuracy";
  plot.description = "Two rows.";
  plot.x_title = "%";
  plot.x = {0, 100};
  plot.rows = {{"clean", 80, 70, 90, 0, "clean: 80"}, {"pgd", std::nullopt, 0, 0, 1, "", 1}};
  plot.reference = 80;
  // Worked out by hand: names of five characters of 6.6 and 18 between them and the axis, which is
  // 573 wide and begins at 51; rows of 18 below 8, and 8 more between the blocks.
  EXPECT_EQ(
      Draw(plot).Take(),
      "<svg class=\"plot\" viewBox=\"0 0 640 96\" width=\"640\" height=\"96\" role=\"img\" "
      "aria-label=\"Accuracy. Two rows.\"><title>Accuracy</title><g class=\"axis\">"
      "<line x1=\"51\" x2=\"51\" y1=\"8\" y2=\"56\"/><text x=\"51\" y=\"71\" "
      "text-anchor=\"middle\">0</text>"
      "<line x1=\"165.6\" x2=\"165.6\" y1=\"8\" y2=\"56\"/><text x=\"165.6\" y=\"71\" "
      "text-anchor=\"middle\">20</text>"
      "<line x1=\"280.2\" x2=\"280.2\" y1=\"8\" y2=\"56\"/><text x=\"280.2\" y=\"71\" "
      "text-anchor=\"middle\">40</text>"
      "<line x1=\"394.8\" x2=\"394.8\" y1=\"8\" y2=\"56\"/><text x=\"394.8\" y=\"71\" "
      "text-anchor=\"middle\">60</text>"
      "<line x1=\"509.4\" x2=\"509.4\" y1=\"8\" y2=\"56\"/><text x=\"509.4\" y=\"71\" "
      "text-anchor=\"middle\">80</text>"
      "<line x1=\"624\" x2=\"624\" y1=\"8\" y2=\"56\"/><text x=\"624\" y=\"71\" "
      "text-anchor=\"middle\">100</text>"
      "<line class=\"base\" x1=\"51\" x2=\"624\" y1=\"56\" y2=\"56\"/><text class=\"name\" "
      "x=\"337.5\" y=\"88\" text-anchor=\"middle\">%</text></g>\n"
      "<line class=\"reference\" x1=\"509.4\" x2=\"509.4\" y1=\"8\" y2=\"56\" stroke-dasharray=\"4 "
      "3\"/>"
      "<g class=\"s0\"><text class=\"key\" x=\"41\" y=\"21\" text-anchor=\"end\">clean</text><path "
      "class=\"whisker\" d=\"M452.1 17H566.7M452.1 13v8M566.7 13v8\"/>"
      "<path class=\"mark\" d=\"M509.4 17m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z\"><title>clean: "
      "80</title></path></g>\n"
      "<g class=\"s1\"><text class=\"key\" x=\"41\" y=\"47\" "
      "text-anchor=\"end\">pgd</text></g>\n</svg>");
}

TEST(IntervalPlotTest, GroupsOfABlockStandTogetherAndTheLegendNamesThem) {
  IntervalPlot plot;
  plot.rows = {
      {"clean", 80, 70, 90, 0, "", 0}, {"B", 60, 50, 70, 1, "", 0}, {"pgd", 40, 30, 50, 0, "", 1}};
  const std::string without = Draw(plot).Take();
  EXPECT_THAT(without, HasSubstr("y=\"39\" text-anchor=\"end\">B<"));
  EXPECT_THAT(without, HasSubstr("y=\"65\" text-anchor=\"end\">pgd<"));
  plot.legend = {{0, "A one"}, {1, "B other"}};
  const std::string with = Draw(plot).Take();
  EXPECT_THAT(with, HasSubstr(">A one<"));
  EXPECT_THAT(with, HasSubstr(">B other<"));
  EXPECT_THAT(without, Not(HasSubstr("A one")));
}

TEST(IntervalPlotTest, NoRowsAreNoProblem) {
  IntervalPlot plot;
  plot.title = "None";
  EXPECT_THAT(Draw(plot).Take(), HasSubstr("</svg>"));
}

}  // namespace
}  // namespace assay::plot
