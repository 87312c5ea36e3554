#include "client/render/report_plots.h"

#include <utility>
#include <vector>

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

TEST(AccuracyPlotTest, BoundsShowWhatIsCertifiedAndSequencesNothing) {
  const v1::Report report = Under({"clean", "bounds/ibp:eps=2/255", "sequence/rotate"});
  const plot::IntervalPlot plot = AccuracyPlot(report);
  ASSERT_EQ(plot.rows.size(), 2u);
  const v1::Rate& certified = report.conditions(1).bounds().certified_accuracy();
  ASSERT_LT(certified.value(), report.conditions(1).accuracy().value());
  EXPECT_DOUBLE_EQ(*plot.rows[1].value, 100 * certified.value());
  EXPECT_DOUBLE_EQ(plot.rows[1].high, 100 * certified.upper());
  EXPECT_THAT(plot.rows[1].tip, HasSubstr(", certified: "));
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
  MadeUp made_up = Cifar();
  made_up.samples = 60;
  made_up.conditions = {"clean", "attack/fmn:norm=l2,eps=0.25"};
  const auto plots = BudgetPlots(MadeUpReport(made_up));
  ASSERT_EQ(plots.size(), 1u);
  EXPECT_EQ(plots[0].x_title, "L2 budget");
  EXPECT_EQ(plots[0].series[0].join, plot::Series::Join::kSteps);
  EXPECT_EQ(plots[0].series[0].points.back().x, 0.5);
}

// Robust accuracy falls by a percent at every hundredth; the axis ends at 0.505.
v1::Report Falling(int points) {
  v1::Report report;
  v1::ConditionReport& condition = *report.add_conditions();
  condition.set_id("attack/fmn/l2/0.2525");
  condition.mutable_accuracy()->set_value(0.75);
  (*condition.mutable_parameters())["eps"] = "0.2525";
  (*condition.mutable_parameters())["norm"] = "l2";
  for (int i = 0; i < points; ++i) {
    v1::SecurityPoint& point = *condition.mutable_attack()->add_security_curve();
    point.set_eps(0.01 * i);
    point.mutable_robust_accuracy()->set_value(1 - 0.01 * i);
  }
  return report;
}

TEST(BudgetPlotsTest, CurvesThatMayLackPointsAreDrawnAtTheirLowerSide) {
  const auto whole = BudgetPlots(Falling(100));
  ASSERT_EQ(whole.size(), 1u);
  EXPECT_EQ(whole[0].series[0].join, plot::Series::Join::kSteps);
  EXPECT_EQ(whole[0].series[0].points.size(), 52u);
  EXPECT_DOUBLE_EQ(whole[0].series[0].points.back().x, 0.505);
  EXPECT_NEAR(whole[0].series[0].points.back().y, 50, 1e-9);
  const auto thinned = BudgetPlots(Falling(101));
  ASSERT_EQ(thinned.size(), 1u);
  EXPECT_EQ(thinned[0].series[0].join, plot::Series::Join::kStepsBack);
  EXPECT_DOUBLE_EQ(thinned[0].series[0].points.back().x, 0.505);
  // What is known only of 0.51 may hold already.
  EXPECT_NEAR(thinned[0].series[0].points.back().y, 49, 1e-9);
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
  EXPECT_EQ(plots[0].series[0].join, plot::Series::Join::kStepsBack);
  ASSERT_EQ(plots[0].series[0].points.size(), static_cast<size_t>(curve.size()));
  for (int i = 0; i < curve.size(); ++i) {
    const plot::Point& point = plots[0].series[0].points[static_cast<size_t>(i)];
    EXPECT_DOUBLE_EQ(point.x, curve[i].radius());
    EXPECT_DOUBLE_EQ(point.y, 100 * curve[i].accuracy().value());
    EXPECT_DOUBLE_EQ(point.low, 100 * curve[i].simultaneous_lower());
    EXPECT_DOUBLE_EQ(point.high, point.y);
  }
}

TEST(CertifiedPlotsTest, NormsArePrintable) {
  v1::Report report;
  v1::CertificationReport& certification = *report.add_conditions()->mutable_certification();
  certification.set_norm("l\x1b");
  certification.add_curve()->mutable_accuracy()->set_value(0.5);
  EXPECT_EQ(CertifiedPlots(report)[0].x_title, "L? radius");
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
    if (point.y > half && point.y < 99 - half) {
      EXPECT_GE(point.high - point.low, 2 * half - 1e-9);
      // Of 300 samples some are between the points.
      EXPECT_LE(point.high - point.low, 2 * half + 1 + 1e-9);
    }
  }
  EXPECT_EQ(plot.series[0].points.front().x, 0);
  EXPECT_EQ(plot.series[0].points.back().x, 1);
  EXPECT_THAT(plot.description, HasSubstr("median"));
}

TEST(PaPlotTest, BandHasRoomForSamplesBetweenThePoints) {
  v1::ConditionReport condition;
  v1::PaDistribution& distribution = *condition.mutable_certification()->mutable_pa_true_class();
  distribution.set_dkw_half_width(0.25);
  for (const auto& [pa, cumulative] :
       {std::pair{0.25, 0.5}, std::pair{0.5, 0.5078125}, std::pair{0.75, 0.625}}) {
    v1::PaPoint& point = *distribution.add_points();
    point.set_pa(pa);
    point.set_cumulative(cumulative);
  }
  const auto highs = [&] {
    const plot::LinePlot plot = PaPlot(condition);
    std::vector<double> values;
    for (const plot::Point& point : plot.series[0].points) values.push_back(point.high);
    return values;
  };
  // At 0 there is no sample yet, and at 1 all are.
  condition.set_samples(101);
  EXPECT_THAT(highs(), ElementsAre(25, 75, 75.78125, 87.5, 100));
  // Up to the next point, but no more than a hundredth of the samples.
  condition.set_samples(102);
  EXPECT_THAT(highs(), ElementsAre(25, 75.78125, 76.78125, 87.5, 100));
}

}  // namespace
}  // namespace assay::render
