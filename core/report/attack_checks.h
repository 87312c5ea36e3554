// Whether the number of an attack can be believed: every known sign that the attack failed, rather
// than that the model held, as a value with a threshold and a verdict. docs/checks.md says what
// each means, where its threshold comes from and what to do.
#ifndef ASSAY_CORE_REPORT_ATTACK_CHECKS_H_
#define ASSAY_CORE_REPORT_ATTACK_CHECKS_H_

#include <string>
#include <vector>

#include "assay/v1/models.pb.h"
#include "assay/v1/reports.pb.h"
#include "core/report/report_input.h"
#include "core/report/resolved_outcomes.h"

namespace assay::report {

// In the order of the report.
const std::vector<std::string>& CheckNames();

// Checks that need no other condition. Needs `report` with its class-wise and its attack part
// filled; `model` is nullptr where no engine has validated the model.
void FillChecks(const v1::Condition& condition, const ResolvedCondition& resolved,
                const v1::ModelValidation* model, v1::ConditionReport* report);

// Checks that compare attacks of one evaluation with each other. Needs all of `report`, whose
// conditions are those of the list, in its order.
void FillComparisons(const std::vector<const ConditionOutcomes*>& conditions, v1::Report* report);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_ATTACK_CHECKS_H_
