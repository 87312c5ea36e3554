// The part of a condition's report that only randomized smoothing has: certified accuracy over
// radii, the average certified radius with the context without which it misleads, and the
// distribution of p_A (arXiv 2410.06895).
#ifndef ASSAY_CORE_REPORT_CERTIFICATION_REPORT_H_
#define ASSAY_CORE_REPORT_CERTIFICATION_REPORT_H_

#include "assay/v1/reports.pb.h"
#include "core/report/rates.h"
#include "core/report/resolved_outcomes.h"

namespace assay::report {

// Needs a condition with smoothing parameters and `report` with its class-wise part filled; adds
// `certification` to it and to each of its classes.
void FillCertification(const ResolvedCondition& condition, RateMaker& rates,
                       v1::ConditionReport* report);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_CERTIFICATION_REPORT_H_
