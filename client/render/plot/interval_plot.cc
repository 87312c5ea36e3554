#include "client/render/plot/interval_plot.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/render/plot/frame.h"

namespace assay::plot {
namespace {

constexpr double kWidth = 640;
constexpr double kTop = 8;
constexpr double kBetweenBlocks = 8;
constexpr size_t kNameCharacters = 40;

void DrawRow(const Interval& row, double y, const Scale& x, Markup& out) {
  out.Open("g", {{"class", SeriesClass(row.group)}});
  out.Element(
      "text",
      {{"class", "key"}, {"x", x.positions().low - 10}, {"y", y + 4}, {"text-anchor", "end"}},
      MiddleCut(row.name, kNameCharacters));
  if (row.value.has_value()) {
    const double low = x(row.low), high = x(row.high);
    const std::string at = Coordinate(y);
    const std::string caps = absl::StrCat("M", Coordinate(low), " ", Coordinate(y - 4), "v8M",
                                          Coordinate(high), " ", Coordinate(y - 4), "v8");
    out.Empty("path",
              {{"class", "whisker"},
               {"d", absl::StrCat("M", Coordinate(low), " ", at, "H", Coordinate(high), caps)}});
    DrawMarker(row.group, x(*row.value), y, row.tip, out);
  }
  out.Close().Break();
}

}  // namespace

Markup Draw(const IntervalPlot& plot) {
  size_t longest = 0;
  std::vector<double> positions;
  double y = kTop;
  for (size_t i = 0; i < plot.rows.size(); ++i) {
    longest = std::max(longest, std::min(Characters(plot.rows[i].name), kNameCharacters));
    if (i > 0 && plot.rows[i].block != plot.rows[i - 1].block) y += kBetweenBlocks;
    positions.push_back(y + kLineHeight / 2);
    y += kLineHeight;
  }
  const double bottom = y + 4;
  const Scale x(plot.x, {static_cast<double>(longest) * kCharacterWidth + 18, kWidth - 16});
  Markup out;
  const double legend =
      plot.legend.empty() ? 0 : LegendLines(plot.legend, kWidth) * kLineHeight + 8;
  OpenPicture(kWidth, bottom + 40 + legend, plot.title, plot.description, out);
  DrawXAxis(x, kTop, bottom, plot.x_title, out);
  if (plot.reference.has_value()) {
    const double at = x(*plot.reference);
    out.Empty("line", {{"class", "reference"},
                       {"x1", at},
                       {"x2", at},
                       {"y1", kTop},
                       {"y2", bottom},
                       {"stroke-dasharray", "4 3"}});
  }
  for (size_t i = 0; i < plot.rows.size(); ++i) DrawRow(plot.rows[i], positions[i], x, out);
  if (!plot.legend.empty()) DrawLegend(plot.legend, 0, bottom + 44, kWidth, out);
  out.Close();
  return out;
}

}  // namespace assay::plot
