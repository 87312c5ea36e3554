// The class-wise part of a condition's report (arXiv 2411.19853): confusion matrix, class-wise
// accuracy, Class False Positive Scores, precision, roles, disparity, and the differences between
// classes that are more than chance.
#ifndef ASSAY_CORE_REPORT_CLASSWISE_H_
#define ASSAY_CORE_REPORT_CLASSWISE_H_

#include <string>
#include <vector>

#include "assay/v1/reports.pb.h"
#include "core/report/rates.h"
#include "core/report/resolved_outcomes.h"
#include "core/statistics/statistics.h"

namespace assay::report {

// Pairs of classes are compared up to this many classes; beyond, Holm's correction leaves little to
// find.
inline constexpr int kMaxComparedClasses = 200;

// Fills everything of `report` that every family has, one ClassReport per class included.
// `class_names` has num_classes entries; `fisher` must reach as far as the number of samples.
void FillClasswise(const ResolvedCondition& condition, const std::vector<std::string>& class_names,
                   const FisherExact& fisher, RateMaker& rates, v1::ConditionReport* report);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_CLASSWISE_H_
