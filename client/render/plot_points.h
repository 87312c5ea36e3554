// What the pictures of a report share: rates as points, names of norms and lines.
#ifndef ASSAY_CLIENT_RENDER_PLOT_POINTS_H_
#define ASSAY_CLIENT_RENDER_PLOT_POINTS_H_

#include <string>

#include "assay/v1/reports.pb.h"
#include "client/render/plot/line_plot.h"

namespace assay::render {

inline constexpr plot::Range kPercents = {0, 100};

// A curve of as many may stand for one of more (assay/v1/reports.proto).
inline constexpr int kMostCurvePoints = 101;

// In percent, with its interval; `what` says what it is of when it is pointed at. The rate must
// have a value.
plot::Point RatePoint(double x, const v1::Rate& rate, const std::string& what);

// "linf" -> "Linf", printable.
std::string NormName(const std::string& norm);

// "fgsm/linf, pgd/linf": its lines.
std::string SeriesNames(const plot::LinePlot& plot);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_PLOT_POINTS_H_
