// The matrix S[s][t] of targeted attacks: how often a sample of class s could be turned into class
// t (docs/metrics.md).
#ifndef ASSAY_CORE_REPORT_TARGETED_REPORT_H_
#define ASSAY_CORE_REPORT_TARGETED_REPORT_H_

#include "assay/v1/reports.pb.h"
#include "core/report/rates.h"
#include "core/report/resolved_outcomes.h"

namespace assay::report {

// Fills in `targeted` where an outcome of the condition tells of targets; else does nothing.
void FillTargeted(const ResolvedCondition& condition, RateMaker& rates, v1::AttackReport* attack);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_TARGETED_REPORT_H_
