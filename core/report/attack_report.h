// The part of a condition's report that only adversarial attacks have.
#ifndef ASSAY_CORE_REPORT_ATTACK_REPORT_H_
#define ASSAY_CORE_REPORT_ATTACK_REPORT_H_

#include "assay/v1/reports.pb.h"
#include "core/report/rates.h"
#include "core/report/resolved_outcomes.h"

namespace assay::report {

// Needs `report` with its class-wise part filled; adds `attack` to it and to each of its classes.
void FillAttack(const ResolvedCondition& condition, RateMaker& rates, v1::ConditionReport* report);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_ATTACK_REPORT_H_
