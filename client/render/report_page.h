// A report as one page of HTML, for the appendix of a paper and for a reader without Assay: every
// number of the text, plots, confusion matrices, checks, settings, and how to make it again.
#ifndef ASSAY_CLIENT_RENDER_REPORT_PAGE_H_
#define ASSAY_CLIENT_RENDER_REPORT_PAGE_H_

#include <string>
#include <vector>

#include "assay/v1/reports.pb.h"
#include "client/render/examples.h"
#include "core/report/gates.h"

namespace assay::render {

// The same report gives the same bytes. Gates, where there are any, come first. Without `examples`
// there is no word of them.
std::string ReportPage(const v1::Report& report, const std::vector<report::GateResult>& gates = {},
                       const Examples* examples = nullptr);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_REPORT_PAGE_H_
