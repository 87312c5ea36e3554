// Slices on a page: the section that compares them under every condition.
#ifndef ASSAY_CLIENT_RENDER_SLICE_PAGE_H_
#define ASSAY_CLIENT_RENDER_SLICE_PAGE_H_

#include "assay/v1/reports.pb.h"
#include "client/render/html_document.h"
#include "client/render/page/html_page.h"
#include "client/render/plot/interval_plot.h"
#include "client/render/report_style.h"

namespace assay::render {

// The worst slices of a condition with their intervals, columns together, beside the accuracy of
// the condition. No rows where none has enough samples.
plot::IntervalPlot SlicePlot(const v1::ConditionReport& condition);

// Of every condition a picture of the worst slices and a table; nothing where there are no slices.
void PrintSlices(const v1::Report& report, const ReportStyle& style, HtmlPage& page,
                 HtmlPrinter& printer);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_SLICE_PAGE_H_
