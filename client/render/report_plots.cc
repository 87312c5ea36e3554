#include "client/render/report_plots.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/render/condition_facts.h"
#include "client/render/numbers.h"
#include "client/render/plot_points.h"
#include "client/render/text.h"
#include "core/conditions/families.h"

namespace assay::render {
namespace {

using plot::LinePlot;
using plot::Point;
using plot::Series;

}  // namespace

plot::IntervalPlot AccuracyPlot(const v1::Report& report) {
  plot::IntervalPlot plot;
  plot.title = "Accuracy of every condition";
  plot.x_title = "accuracy %";
  plot.x = kPercents;
  std::vector<std::string> families;
  for (const auto& condition : report.conditions()) {
    if (condition.has_sequence()) continue;
    const auto found = std::find(families.begin(), families.end(), condition.family());
    const auto group = static_cast<size_t>(found - families.begin());
    if (found == families.end()) families.push_back(condition.family());
    plot::Interval row;
    row.name = Printable(condition.id());
    row.group = group;
    row.block = group;
    if (const v1::Rate* rate = ComparableRate(condition); rate != nullptr) {
      const Point point = RatePoint(
          0, *rate, condition.has_bounds() ? absl::StrCat(row.name, ", certified") : row.name);
      row.value = point.y;
      row.low = point.low;
      row.high = point.high;
      row.tip = point.tip;
      if (condition.family() == kFamilyClean) plot.reference = point.y;
    }
    plot.rows.push_back(std::move(row));
  }
  std::stable_sort(plot.rows.begin(), plot.rows.end(),
                   [](const auto& a, const auto& b) { return a.group < b.group; });
  plot.description = absl::StrCat("Dots with exact intervals for ", plot.rows.size(),
                                  " conditions; the numbers are in the table that follows.");
  return plot;
}

std::vector<LinePlot> CertifiedPlots(const v1::Report& report) {
  std::vector<LinePlot> plots;
  std::map<std::string, size_t> of_norm;
  for (const auto& condition : report.conditions()) {
    const auto& certification = condition.certification();
    if (certification.curve().empty()) continue;
    const std::string norm = certification.norm().empty() ? "l2" : certification.norm();
    const auto [place, is_new] = of_norm.emplace(norm, plots.size());
    if (is_new) {
      LinePlot plot;
      plot.part = Printable(norm);
      plot.title = absl::StrCat("Certified accuracy against the ", NormName(norm), " radius");
      plot.x_title = absl::StrCat(NormName(norm), " radius");
      plot.y_title = "certified accuracy %";
      plot.y = kPercents;
      plots.push_back(std::move(plot));
    }
    Series series;
    series.name = Printable(condition.id());
    // Of a radius between two others it is known that at least as many have the larger one.
    series.join = Series::Join::kStepsBack;
    series.uncertainty = Series::Uncertainty::kBand;
    for (const auto& entry : certification.curve()) {
      Point point = RatePoint(entry.radius(), entry.accuracy(),
                              absl::StrCat("radius ", Significant(entry.radius())));
      point.low = std::min(point.y, entry.simultaneous_lower() * 100);
      point.high = point.y;
      series.points.push_back(std::move(point));
    }
    plots[place->second].series.push_back(std::move(series));
  }
  for (LinePlot& plot : plots) {
    double largest = 0;
    for (const Series& series : plot.series) largest = std::max(largest, series.points.back().x);
    // Where nothing was certified at all, the axis needs some width.
    plot.x = plot::Range{0, largest > 0 ? largest * 1.03 : 1};
    plot.description = absl::StrCat("Lines that fall with the radius, for ", SeriesNames(plot),
                                    "; the numbers are in the tables of these conditions.");
  }
  return plots;
}

LinePlot PaPlot(const v1::ConditionReport& condition) {
  LinePlot plot;
  plot.title = absl::StrCat("Distribution of p_A under ", Printable(condition.id()));
  plot.x_title = "p_A: share of noisy copies with that class";
  plot.y_title = "share of samples with at most p_A, %";
  plot.x = plot::Range{0, 1};
  plot.y = kPercents;
  const auto add = [&](const char* name, const v1::PaDistribution& distribution) {
    if (distribution.points().empty()) return;
    const double half = distribution.dkw_half_width() * 100;
    // Of many samples the report has the quantiles at every hundredth, whatever is between them.
    const double unseen = condition.samples() > kMostCurvePoints ? 1 : 0;
    Series series;
    series.name = name;
    series.join = Series::Join::kSteps;
    series.uncertainty = Series::Uncertainty::kBand;
    series.markers = false;
    // Until the next point the share is `y`, or grows to as much as `most`.
    const auto add_point = [&](double pa, double y, double most) {
      series.points.push_back({pa, y, std::max(0.0, y - half), std::min(100.0, most + half), ""});
    };
    if (distribution.points(0).pa() > 0) add_point(0, 0, 0);
    for (int i = 0; i < distribution.points_size(); ++i) {
      const double y = distribution.points(i).cumulative() * 100;
      const bool last = i + 1 == distribution.points_size();
      const double next = last ? y : distribution.points(i + 1).cumulative() * 100;
      add_point(distribution.points(i).pa(), y, std::min(next, y + unseen));
    }
    if (series.points.back().x < 1) add_point(1, 100, 100);
    plot.series.push_back(std::move(series));
  };
  add("true class", condition.certification().pa_true_class());
  add("top class", condition.certification().pa_top_class());
  plot.description = absl::StrCat("Distribution functions for the true class, median ",
                                  Significant(condition.certification().pa_true_class().median()),
                                  ", and the top class, median ",
                                  Significant(condition.certification().pa_top_class().median()));
  return plot;
}

}  // namespace assay::render
