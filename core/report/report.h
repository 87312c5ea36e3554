// Builds reports of outcomes: pure functions, the only place where a metric is computed.
// Definitions: docs/metrics.md.
#ifndef ASSAY_CORE_REPORT_REPORT_H_
#define ASSAY_CORE_REPORT_REPORT_H_

#include "absl/status/statusor.h"
#include "assay/v1/reports.pb.h"
#include "core/report/report_input.h"

namespace assay::report {

// kInvalidArgument for a confidence level outside (0, 1), or an alpha or n that no smoothing
// condition can have; kInternal for outcomes that break their own rules.
absl::StatusOr<v1::Report> BuildReport(const ReportInput& input);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_REPORT_H_
