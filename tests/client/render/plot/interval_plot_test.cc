#include "client/render/plot/interval_plot.h"

#include "gmock/gmock.h"

namespace assay::plot {
namespace {

using ::testing::HasSubstr;

TEST(IntervalPlotTest, DrawsTheGoldenPicture) {
  IntervalPlot plot;
  plot.title = "Accuracy";
  plot.description = "Two rows.";
  plot.x_title = "%";
  plot.x = {0, 100};
  plot.rows = {{"clean", 80, 70, 90, 0, "clean: 80"}, {"pgd", std::nullopt, 0, 0, 1, ""}};
  plot.reference = 80;
  // Worked out by hand: names of five characters of 6.6 and 18 between them and the axis, which is
  // 573 wide and begins at 51; rows of 18 below 8, and 8 more between the groups.
  EXPECT_EQ(Draw(plot).Take(), "@");
}

TEST(IntervalPlotTest, NoRowsAreNoProblem) {
  IntervalPlot plot;
  plot.title = "None";
  EXPECT_THAT(Draw(plot).Take(), HasSubstr("</svg>"));
}

}  // namespace
}  // namespace assay::plot
