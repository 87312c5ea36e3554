// A report as rows of numbers, for programs: one for each condition, class or slice,
// and metric. docs/cli.md
// lists the metrics.
#ifndef ASSAY_CLIENT_RENDER_REPORT_CSV_H_
#define ASSAY_CLIENT_RENDER_REPORT_CSV_H_

#include <string>

#include "assay/v1/reports.pb.h"

namespace assay::render {

// With a line of titles: condition,class,slice,metric,value,lower,upper,n.
std::string ReportCsv(const v1::Report& report);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_REPORT_CSV_H_
