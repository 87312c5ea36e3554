// The sections of a condition's report: the class-wise one that every condition has, and those of
// families. Each is filled in a file of its own, from outcomes that have been checked; report.cc
// has the table that says which family has which.
#ifndef ASSAY_CORE_REPORT_SECTIONS_H_
#define ASSAY_CORE_REPORT_SECTIONS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "assay/v1/reports.pb.h"
#include "assay/v1/types.pb.h"
#include "core/report/rates.h"
#include "core/report/report_input.h"
#include "core/report/resolved_outcomes.h"
#include "core/statistics/statistics.h"
#include "google/protobuf/repeated_ptr_field.h"

namespace assay::report {

// What the sections of one condition are filled from.
struct SectionInput {
  const ReportInput& evaluation;
  const v1::Condition& condition;
  const ResolvedCondition& resolved;
  RateMaker& rates;
};

// --- classwise.cc

// Pairs of classes are compared up to this many classes; beyond, Holm's correction leaves little to
// find.
inline constexpr int kMaxComparedClasses = 200;

// Everything that every family has, one ClassReport per class included (arXiv 2411.19853):
// confusion matrix, class-wise accuracy, Class False Positive Scores, precision, roles, disparity,
// and the differences between classes that are more than chance. `class_names` has num_classes
// entries; `fisher` must reach as far as the number of samples.
void FillClasswise(const SectionInput& input, const std::vector<std::string>& class_names,
                   const FisherExact& fisher, v1::ConditionReport* report);

// --- slices.cc

// The confidence of the clean prediction; its `undefined_reason` says so where the evaluation has
// no clean condition.
SampleColumn ConfidenceColumn(const ReportInput& input);
// `slices`, when all that the family adds is there: slices have what is a rate in it. `fisher` as
// above.
void FillSlices(const SectionInput& input, const std::vector<const SampleColumn*>& columns,
                const FisherExact& fisher, v1::ConditionReport* report);

// --- of one family each, in NAME_report.cc: they need the class-wise section. kInternal for
// outcomes that break their own rules.

// `attack`, of the condition and of its classes, but for its checks (checks.h) and the curve.
absl::Status FillAttack(const SectionInput& input, v1::ConditionReport* report);
// `certification`, of the condition and of its classes: certified accuracy over radii, the average
// certified radius with the context without which it misleads, and the distribution of p_A (arXiv
// 2410.06895).
absl::Status FillCertification(const SectionInput& input, v1::ConditionReport* report);
// `bounds`: certified accuracy by deterministic bounds.
absl::Status FillBounds(const SectionInput& input, v1::ConditionReport* report);
// `conformal`: robust sets, calibrated on one part of the samples and measured on the rest.
absl::Status FillConformal(const SectionInput& input, v1::ConditionReport* report);
// `sequence`: how often a small step changes the prediction (ImageNet-P's flip probability;
// Hendrycks and Dietterich, ICLR 2019).
absl::Status FillSequence(const SectionInput& input, v1::ConditionReport* report);

// Part of FillAttack: the matrix S[s][t] of how often a sample of class s could be turned into
// class t (docs/metrics.md), where an outcome tells of targets.
void FillTargeted(const ResolvedCondition& condition, RateMaker& rates, v1::AttackReport* attack);

// --- security_curve.cc: attacks that find distances, of which one run says how many samples are
// robust at every budget.

// Robust accuracy at eps 0 and at every distance at which an adversarial example was found,
// ascending; of more than 101 points, 101 equally spaced ones with the first and the last. Each
// point is exact, and between two points the accuracy is between theirs. Empty without outcomes.
google::protobuf::RepeatedPtrField<v1::SecurityPoint> SecurityCurve(const ResolvedCondition& run,
                                                                    RateMaker& rates);

// The run as an attack with the one budget of `condition`: where the adversarial example is farther
// away, the clean prediction stands and the sample is robust. Outcomes must have been resolved.
ConditionOutcomes AtBudget(const ConditionOutcomes& run, v1::Condition condition);
// The same of what was resolved already: what was predicted, and whether that is right. The
// outcomes stay those of the run.
ResolvedCondition AtBudget(ResolvedCondition run, const v1::Condition& condition);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_SECTIONS_H_
