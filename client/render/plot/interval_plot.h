// Named numbers with their intervals, one below the other: dots and whiskers.
#ifndef ASSAY_CLIENT_RENDER_PLOT_INTERVAL_PLOT_H_
#define ASSAY_CLIENT_RENDER_PLOT_INTERVAL_PLOT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "client/render/plot/axis.h"
#include "client/render/plot/frame.h"
#include "client/render/plot/markup.h"

namespace assay::plot {

struct Interval {
  std::string name;
  // Absent: undefined, and the row stays empty.
  std::optional<double> value;
  double low = 0;
  double high = 0;
  // With its colour and its marker.
  size_t group = 0;
  std::string tip;
  // Rows of one block stand together.
  size_t block = 0;
};

struct IntervalPlot {
  std::string title;
  std::string description;
  std::string x_title;
  Range x;
  std::vector<Interval> rows;
  // Of groups that have names.
  std::vector<LegendEntry> legend;
  // A line to compare with, for example the accuracy on clean images.
  std::optional<double> reference;
};

Markup Draw(const IntervalPlot& plot);

}  // namespace assay::plot

#endif  // ASSAY_CLIENT_RENDER_PLOT_INTERVAL_PLOT_H_
