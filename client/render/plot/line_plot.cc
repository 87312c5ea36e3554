#include "client/render/plot/line_plot.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/render/plot/frame.h"

namespace assay::plot {
namespace {

constexpr double kWidth = 440;
constexpr double kLeft = 50;
constexpr double kRight = kWidth - 14;
constexpr double kTop = 10;
constexpr double kBottom = 258;
// The axis's labels and title are above it.
constexpr double kLegendTop = kBottom + 40;
constexpr size_t kLegendCharacters = 55;

std::string At(const char* command, double x, double y) {
  return absl::StrCat(command, Coordinate(x), " ", Coordinate(y));
}

// The y of a point, or an end of its interval.
using Value = double Point::*;

// Along the points; a step goes right, then up or down, and one that holds back the other way
// round.
void Trace(const std::vector<Point>& points, Series::Join join, Value value, const Scale& x,
           const Scale& y, std::string& path) {
  for (size_t i = 0; i < points.size(); ++i) {
    const double to_x = x(points[i].x), to_y = y(points[i].*value);
    if (i > 0 && join == Series::Join::kSteps) {
      absl::StrAppend(&path, "H", Coordinate(to_x), "V", Coordinate(to_y));
    } else if (i > 0 && join == Series::Join::kStepsBack) {
      absl::StrAppend(&path, "V", Coordinate(to_y), "H", Coordinate(to_x));
    } else {
      absl::StrAppend(&path, At(i == 0 ? "M" : "L", to_x, to_y));
    }
  }
}

// Back along the lower ends, to close a band.
void TraceBack(const std::vector<Point>& points, Series::Join join, const Scale& x, const Scale& y,
               std::string& path) {
  for (size_t i = points.size(); i-- > 0;) {
    const double to_x = x(points[i].x), to_y = y(points[i].low);
    if (i + 1 < points.size() && join == Series::Join::kSteps) {
      absl::StrAppend(&path, "V", Coordinate(to_y), "H", Coordinate(to_x));
    } else if (i + 1 < points.size() && join == Series::Join::kStepsBack) {
      absl::StrAppend(&path, "H", Coordinate(to_x), "V", Coordinate(to_y));
    } else {
      absl::StrAppend(&path, At("L", to_x, to_y));
    }
  }
}

bool IsFinite(const Point& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) && std::isfinite(point.low) &&
         std::isfinite(point.high);
}

void DrawSeries(const Series& series, size_t index, const Scale& x, const Scale& y, Markup& out) {
  std::vector<Point> points;
  std::copy_if(series.points.begin(), series.points.end(), std::back_inserter(points), IsFinite);
  if (points.empty()) return;
  out.Open("g", {{"class", SeriesClass(index)}});
  if (series.uncertainty == Series::Uncertainty::kBand) {
    std::string path;
    Trace(points, series.join, &Point::high, x, y, path);
    TraceBack(points, series.join, x, y, path);
    out.Empty("path", {{"class", "band"}, {"d", path + "Z"}});
  }
  if (series.uncertainty == Series::Uncertainty::kWhiskers) {
    std::string path;
    for (const Point& point : points) {
      absl::StrAppend(&path, At("M", x(point.x), y(point.low)), "V", Coordinate(y(point.high)));
    }
    out.Empty("path", {{"class", "whisker"}, {"d", path}});
  }
  if (series.join != Series::Join::kNone) {
    std::string path;
    Trace(points, series.join, &Point::y, x, y, path);
    Markup::Attributes line = {{"class", "line"}, {"d", path}};
    const std::string dashes = SeriesDashes(index);
    if (!dashes.empty()) line.emplace_back("stroke-dasharray", dashes);
    out.Empty("path", line);
  }
  if (series.markers) {
    for (const Point& point : points) DrawMarker(index, x(point.x), y(point.y), point.tip, out);
  }
  out.Close().Break();
}

}  // namespace

Markup Draw(const LinePlot& plot) {
  std::vector<LegendEntry> legend;
  for (size_t i = 0; i < plot.series.size(); ++i) {
    legend.push_back({i, MiddleCut(plot.series[i].name, kLegendCharacters)});
  }
  const double legend_width = kWidth - 16;
  const double height = kLegendTop + LegendLines(legend, legend_width) * kLineHeight + 4;
  const Scale x(plot.x, {kLeft, kRight});
  // Upwards, while positions count downwards.
  const Scale y(plot.y, {kBottom, kTop});
  Markup out;
  OpenPicture(kWidth, height, plot.title, plot.description, out);
  DrawXAxis(x, kTop, kBottom, plot.x_title, out);
  DrawYAxis(y, kLeft, kRight, plot.y_title, out);
  for (size_t i = 0; i < plot.series.size(); ++i) DrawSeries(plot.series[i], i, x, y, out);
  DrawLegend(legend, 8, kLegendTop, legend_width, out);
  out.Close();
  return out;
}

}  // namespace assay::plot
