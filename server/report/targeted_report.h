// The matrix S[s][t] of targeted attacks: how often a sample of class s could be turned into class
// t (docs/metrics.md).
#ifndef ASSAY_SERVER_REPORT_TARGETED_REPORT_H_
#define ASSAY_SERVER_REPORT_TARGETED_REPORT_H_

#include "assay/v1/reports.pb.h"
#include "server/report/rates.h"
#include "server/report/resolved_outcomes.h"

namespace assay::report {

// Fills in `targeted` where an outcome of the condition tells of targets; else does nothing.
void FillTargeted(const ResolvedCondition& condition, RateMaker& rates, v1::AttackReport* attack);

}  // namespace assay::report

#endif  // ASSAY_SERVER_REPORT_TARGETED_REPORT_H_
