// Attacks that find distances: one run says how many samples are robust at every budget.
#ifndef ASSAY_CORE_REPORT_SECURITY_CURVE_H_
#define ASSAY_CORE_REPORT_SECURITY_CURVE_H_

#include "assay/v1/reports.pb.h"
#include "core/report/rates.h"
#include "core/report/report_input.h"
#include "core/report/resolved_outcomes.h"

namespace assay::report {

// Robust accuracy at eps 0 and at every distance at which an adversarial example was found,
// ascending; of more than 101 points, 101 equally spaced ones with the first and the last. Each
// point is exact, and between two points the accuracy is between theirs. Empty without outcomes.
google::protobuf::RepeatedPtrField<v1::SecurityPoint> SecurityCurve(const ResolvedCondition& run,
                                                                    RateMaker& rates);

// The run as an attack with the one budget of `condition`: where the adversarial example is farther
// away, the clean prediction stands and the sample is robust. Outcomes must have been resolved.
ConditionOutcomes AtBudget(const ConditionOutcomes& run, v1::Condition condition);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_SECURITY_CURVE_H_
