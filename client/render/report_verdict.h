// What a report comes to, in a few lines.
#ifndef ASSAY_CLIENT_RENDER_REPORT_VERDICT_H_
#define ASSAY_CLIENT_RENDER_REPORT_VERDICT_H_

#include <vector>

#include "assay/v1/reports.pb.h"
#include "client/render/document.h"
#include "client/render/page/html_page.h"
#include "core/report/gates.h"

namespace assay::render {

// Two lines on what was evaluated; the verdict is how many gates hold, the worst condition, the
// checks, and whether all samples are there.
PageHead ReportHead(const v1::Report& report, const std::vector<report::GateResult>& gates);

// "7 passed", or what did not.
Cell ChecksCell(const v1::ConditionReport& condition);

// Every check: what it measured, what it should be, what it says. Conditions of which it says the
// same share a row; failures come first.
Table ChecksTable(const v1::Report& report);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_REPORT_VERDICT_H_
