// The pictures of a report: which of its numbers go on which axes.
#ifndef ASSAY_CLIENT_RENDER_REPORT_PLOTS_H_
#define ASSAY_CLIENT_RENDER_REPORT_PLOTS_H_

#include <vector>

#include "assay/v1/reports.pb.h"
#include "client/render/plot/interval_plot.h"
#include "client/render/plot/line_plot.h"

namespace assay::render {

// The accuracy of every condition with its interval, families together in the order of the report:
// the certified accuracy of bounds, and nothing of sequences.
plot::IntervalPlot AccuracyPlot(const v1::Report& report);

// Robust accuracy against the budget, a plot for each norm in which some attack has several budgets
// or a security curve: a line for each such attack, a point for others, and what bounds prove.
std::vector<plot::LinePlot> BudgetPlots(const v1::Report& report);

// Certified accuracy against the radius, with the simultaneous lower band: a plot for each norm.
// Between radii it is at least that of the next.
std::vector<plot::LinePlot> CertifiedPlots(const v1::Report& report);

// Distribution functions of p_A with their Dvoretzky-Kiefer-Wolfowitz bands, which have room for
// samples between the points.
plot::LinePlot PaPlot(const v1::ConditionReport& condition);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_REPORT_PLOTS_H_
