// Whether the numbers of a condition are about the model at all: signs that the data or the export
// of the model went wrong, for conditions of every family. docs/checks.md explains them; what is
// about attacks alone is in attack_checks.h.
#ifndef ASSAY_CORE_REPORT_CONDITION_CHECKS_H_
#define ASSAY_CORE_REPORT_CONDITION_CHECKS_H_

#include <string>
#include <vector>

#include "assay/v1/reports.pb.h"
#include "assay/v1/types.pb.h"
#include "core/report/checks.h"

namespace assay::report {

// In the order of the report.
const std::vector<std::string>& ConditionCheckNames();

// Needs the class-wise part of `report`; `numerics` are those of all outcomes. class-order is
// tested at the confidence level.
void FillConditionChecks(const std::vector<v1::NumericsFingerprint>& numerics, int num_classes,
                         double confidence_level, v1::ConditionReport* report);

// The check better-than-guessing of `clean`, the accuracy on the images of `report` as they are;
// `causes` is what to look at where it is no better.
void CheckCleanAccuracy(int num_classes, const v1::ConditionReport& report, const v1::Rate& clean,
                        const std::string& causes, Checks& checks);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_CONDITION_CHECKS_H_
