// What the outcomes of one condition say about each sample: checked, in the order of the dataset,
// with the predictions of smoothing derived from its counts. Everything in a report is computed
// from this.
#ifndef ASSAY_CORE_REPORT_RESOLVED_OUTCOMES_H_
#define ASSAY_CORE_REPORT_RESOLVED_OUTCOMES_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "core/report/report_input.h"
#include "core/statistics/smoothing_certificate.h"

namespace assay::report {

struct ResolvedSample {
  // Undecided and tied samples are in no column of the confusion matrix.
  static constexpr int32_t kNoColumn = -1;

  // Lives in the ConditionOutcomes.
  const v1::Outcome* outcome = nullptr;
  // The predicted class, num_classes for ABSTAIN, or kNoColumn.
  int32_t column = kNoColumn;
  bool undecided = false;
  // Never together with `undecided`.
  bool tie = false;
  // The predicted class is the label.
  bool correct = false;
  // Of smoothing.
  Certificate certificate;

  int32_t label() const { return outcome->label(); }
  // Both have an answer, and it is the same.
  bool Agrees(const ResolvedSample& other) const {
    return column != kNoColumn && column == other.column;
  }
};

struct ResolvedCondition {
  int num_classes = 0;
  // Ascending by sample.
  std::vector<ResolvedSample> samples;
  // Of the family smoothing: with the confidence and the draws that the report asks for.
  std::optional<SmoothingSetting> smoothing;
};

// The result points into `condition`, which is one of the evaluation `input`. kInternal for
// outcomes that break their own rules, and for smoothing parameters that are missing or senseless;
// kInvalidArgument where `input` asks for certificates from more draws than were made, or for ones
// that let every sample abstain.
absl::StatusOr<ResolvedCondition> Resolve(const ConditionOutcomes& condition,
                                          const ReportInput& input);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_RESOLVED_OUTCOMES_H_
