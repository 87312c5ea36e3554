// What plots have in common: the picture with its name for those who cannot see it, axes, and what
// tells one series from another without its colour. Colours are classes that a page's style sheet
// fills in (client/render/page/style.css), so that a plot is light or dark with its page.
#ifndef ASSAY_CLIENT_RENDER_PLOT_FRAME_H_
#define ASSAY_CLIENT_RENDER_PLOT_FRAME_H_

#include <cstddef>
#include <string>
#include <vector>

#include "client/render/plot/axis.h"
#include "client/render/plot/markup.h"

namespace assay::plot {

// Of characters of text at the size of labels, more or less: fonts differ.
inline constexpr double kCharacterWidth = 6.6;
inline constexpr double kLineHeight = 18;

// Begins a picture; Markup::Close() ends it.
void OpenPicture(double width, double height, const std::string& title,
                 const std::string& description, Markup& out);

// Ticks, their grid lines from `top` to `bottom`, their labels and a title below.
void DrawXAxis(const Scale& x, double top, double bottom, const std::string& title, Markup& out);
// The same at the left, with the grid from `left` to `right`.
void DrawYAxis(const Scale& y, double left, double right, const std::string& title, Markup& out);

// "s0" ... "s7", over and over.
inline constexpr size_t kSeriesClasses = 8;
std::string SeriesClass(size_t index);
// For stroke-dasharray; empty: a solid line. With the colours it repeats later than either.
std::string SeriesDashes(size_t index);
// One of six shapes around a point.
void DrawMarker(size_t index, double x, double y, const std::string& tip, Markup& out);

struct LegendEntry {
  size_t series = 0;
  std::string name;
};
// How many lines they take in that width.
int LegendLines(const std::vector<LegendEntry>& entries, double width);
void DrawLegend(const std::vector<LegendEntry>& entries, double left, double top, double width,
                Markup& out);

// Characters of UTF-8 text.
size_t Characters(const std::string& text);
// At most `most` characters; what is longer has an ellipsis for its middle.
std::string MiddleCut(const std::string& text, size_t most);

}  // namespace assay::plot

#endif  // ASSAY_CLIENT_RENDER_PLOT_FRAME_H_
