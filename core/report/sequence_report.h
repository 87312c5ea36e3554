// The report of sequences: how often a small step changes the prediction (ImageNet-P's flip
// probability; Hendrycks and Dietterich, ICLR 2019).
#ifndef ASSAY_CORE_REPORT_SEQUENCE_REPORT_H_
#define ASSAY_CORE_REPORT_SEQUENCE_REPORT_H_

#include "absl/status/status.h"
#include "assay/v1/reports.pb.h"
#include "assay/v1/types.pb.h"
#include "core/report/resolved_outcomes.h"

namespace assay::report {

// Fills `report->sequence`. kInternal for outcomes that do not have a prediction for every frame.
absl::Status FillSequence(const v1::Condition& condition, const ResolvedCondition& resolved,
                          v1::ConditionReport* report);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_SEQUENCE_REPORT_H_
