// Certified accuracy by deterministic bounds.
#ifndef ASSAY_CORE_REPORT_BOUNDS_REPORT_H_
#define ASSAY_CORE_REPORT_BOUNDS_REPORT_H_

#include "absl/status/status.h"
#include "assay/v1/reports.pb.h"
#include "core/report/rates.h"
#include "core/report/resolved_outcomes.h"

namespace assay::report {

// Fills report->bounds. kInternal for outcomes that break their own rules.
absl::Status FillBounds(const v1::Condition& condition, const ResolvedCondition& resolved,
                        RateMaker& rates, v1::ConditionReport* report);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_BOUNDS_REPORT_H_
