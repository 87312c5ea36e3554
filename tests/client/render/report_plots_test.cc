#include "client/render/report_plots.h"

#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "tests/client/render/made_up_report.h"

namespace assay::render {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Report Under(const std::vector<std::string>& conditions) {
  MadeUp made_up = Cifar();
  made_up.samples = 300;
  made_up.conditions = conditions;
  return MadeUpReport(made_up);
}

std::vector<double> Xs(const plot::Series& series) {
  std::vector<double> xs;
  for (const plot::Point& point : series.points) xs.push_back(point.x);
  return xs;
}

std::vector<std::string> Names(const plot::LinePlot& plot) {
  std::vector<std::string> names;
  for (const plot::Series& series : plot.series) names.push_back(series.name);
  return names;
}

TEST(AccuracyPlotTest, EveryConditionHasItsInterval) {
  const v1::Report report = Under(
      {"clean", "attack/pgd:eps=2/255", "corruption/fog:severity=1", "attack/fgsm:eps=2/255"});
  const plot::IntervalPlot plot = AccuracyPlot(report);
  ASSERT_EQ(plot.rows.size(), 4u);
  // Families stand together.
  EXPECT_EQ(plot.rows[2].name, "attack/fgsm/linf/2-255");
  EXPECT_EQ(plot.rows[2].group, 1u);
  EXPECT_DOUBLE_EQ(*plot.rows[0].value, 100 * report.conditions(0).accuracy().value());
  EXPECT_DOUBLE_EQ(plot.rows[0].low, 100 * report.conditions(0).accuracy().lower());
  EXPECT_DOUBLE_EQ(plot.rows[0].high, 100 * report.conditions(0).accuracy().upper());
  EXPECT_EQ(plot.reference, plot.rows[0].value);
}

TEST(BudgetPlotsTest, BudgetsOfOneAttackAreALineFromTheCleanAccuracy) {
  const v1::Report report =
      Under({"clean", "attack/pgd:eps=8/255+2/255", "attack/square:eps=4/255", "bounds/ibp"});
  const auto plots = BudgetPlots(report);
  ASSERT_EQ(plots.size(), 1u);
  EXPECT_EQ(plots[0].x_title, "Linf budget, 1/255");
  EXPECT_THAT(Names(plots[0]), ElementsAre("pgd/linf", "square/linf", "bounds/ibp (proven)"));
  EXPECT_THAT(Xs(plots[0].series[0]), ElementsAre(0, 2, 8));
  EXPECT_DOUBLE_EQ(plots[0].series[0].points[0].y, 100 * report.conditions(0).accuracy().value());
  EXPECT_DOUBLE_EQ(plots[0].series[0].points[1].y, 100 * report.conditions(2).accuracy().value());
  EXPECT_THAT(Xs(plots[0].series[1]), ElementsAre(4));
  EXPECT_EQ(plots[0].series[1].join, plot::Series::Join::kNone);
}

TEST(BudgetPlotsTest, CurvesOfDistancesAreSteps) {
  const v1::Report report = Under({"clean", "attack/fmn:norm=l2,eps=0.25"});
  const auto plots = BudgetPlots(report);
  ASSERT_EQ(plots.size(), 1u);
  EXPECT_EQ(plots[0].x_title, "L2 budget");
  EXPECT_EQ(plots[0].series[0].join, plot::Series::Join::kSteps);
  EXPECT_EQ(plots[0].series[0].points.back().x, 0.5);
}

TEST(BudgetPlotsTest, OneBudgetIsNoPlot) {
  EXPECT_TRUE(BudgetPlots(Under({"clean", "attack/pgd:eps=2/255", "bounds/ibp"})).empty());
  EXPECT_TRUE(BudgetPlots(v1::Report()).empty());
}

TEST(BudgetPlotsTest, OtherSettingsAreOtherLines) {
  const auto plots = BudgetPlots(
      Under({"clean", "attack/pgd:eps=2/255+4/255", "attack/pgd:eps=2/255+4/255,steps=50"}));
  ASSERT_EQ(plots.size(), 1u);
  EXPECT_THAT(Names(plots[0]), ElementsAre("pgd/linf", "pgd/linf/steps=50"));
}

TEST(CertifiedPlotsTest, BandReachesDownToTheSimultaneousBound) {
  const v1::Report report = Under({"smoothing/gaussian:sigma=0.25,n=1000"});
  const auto plots = CertifiedPlots(report);
  ASSERT_EQ(plots.size(), 1u);
  EXPECT_EQ(plots[0].x_title, "L2 radius");
  const auto& curve = report.conditions(0).certification().curve();
  ASSERT_EQ(plots[0].series[0].points.size(), static_cast<size_t>(curve.size()));
  for (int i = 0; i < curve.size(); ++i) {
    const plot::Point& point = plots[0].series[0].points[static_cast<size_t>(i)];
    EXPECT_DOUBLE_EQ(point.x, curve[i].radius());
    EXPECT_DOUBLE_EQ(point.y, 100 * curve[i].accuracy().value());
    EXPECT_DOUBLE_EQ(point.low, 100 * curve[i].simultaneous_lower());
    EXPECT_DOUBLE_EQ(point.high, point.y);
  }
}

TEST(PaPlotTest, BandIsTheHalfWidthAndStaysInside) {
  const v1::Report report = Under({"smoothing/gaussian:sigma=0.25,n=1000"});
  const plot::LinePlot plot = PaPlot(report.conditions(0));
  ASSERT_THAT(Names(plot), ElementsAre("true class", "top class"));
  const double half = 100 * report.conditions(0).certification().pa_true_class().dkw_half_width();
  EXPECT_GT(half, 1);
  for (const plot::Point& point : plot.series[0].points) {
    EXPECT_GE(point.low, 0);
    EXPECT_LE(point.high, 100);
    if (point.y > half && point.y < 100 - half) {
      EXPECT_NEAR(point.high - point.low, 2 * half, 1e-9);
    }
  }
  EXPECT_EQ(plot.series[0].points.front().x, 0);
  EXPECT_EQ(plot.series[0].points.back().x, 1);
  EXPECT_THAT(plot.description, HasSubstr("median"));
}

}  // namespace
}  // namespace assay::render
