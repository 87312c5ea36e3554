// Lines over two axes, with bands or whiskers for what is uncertain: security curves, certified
// accuracy, distribution functions.
#ifndef ASSAY_CLIENT_RENDER_PLOT_LINE_PLOT_H_
#define ASSAY_CLIENT_RENDER_PLOT_LINE_PLOT_H_

#include <string>
#include <vector>

#include "client/render/plot/axis.h"
#include "client/render/plot/markup.h"

namespace assay::plot {

struct Point {
  double x = 0;
  double y = 0;
  // Ends of the interval; equal to y where there is none.
  double low = 0;
  double high = 0;
  // What a marker says when it is pointed at.
  std::string tip;
};

struct Series {
  enum class Join {
    kStraight,
    // Every value holds until the next point.
    kSteps,
    // Every value holds back to the point before.
    kStepsBack,
    kNone,
  };
  enum class Uncertainty { kNone, kBand, kWhiskers };
  std::string name;
  // By ascending x.
  std::vector<Point> points;
  Join join = Join::kStraight;
  Uncertainty uncertainty = Uncertainty::kNone;
  // Of the points; the legend has them in any case.
  bool markers = true;
};

struct LinePlot {
  // Which of several of its kind it is, for example a norm.
  std::string part;
  std::string title;
  // What it shows, in a sentence, for those who cannot see it.
  std::string description;
  std::string x_title;
  std::string y_title;
  Range x;
  Range y;
  std::vector<Series> series;
};

// Points that are not finite are left out. Without any the axes stand alone.
Markup Draw(const LinePlot& plot);

}  // namespace assay::plot

#endif  // ASSAY_CLIENT_RENDER_PLOT_LINE_PLOT_H_
