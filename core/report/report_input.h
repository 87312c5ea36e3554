// What a report is computed from: the outcomes, and what is known of the evaluation they belong to.
#ifndef ASSAY_CORE_REPORT_REPORT_INPUT_H_
#define ASSAY_CORE_REPORT_REPORT_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/models.pb.h"
#include "assay/v1/outcomes.pb.h"
#include "assay/v1/reports.pb.h"
#include "core/report/sample_columns.h"

namespace assay::report {

struct ConditionOutcomes {
  v1::Condition condition;
  // In any order; each sample at most once.
  std::vector<v1::Outcome> outcomes;
  // Why no more will come; empty: they may.
  std::string failure = {};
};

// What is stored of one condition.
struct StoredOutcomes {
  std::vector<v1::Outcome> outcomes;
  std::vector<v1::NumericsFingerprint> numerics;
  v1::PassCounts passes;
};

struct ReportInput {
  std::string evaluation;  // full resource names
  std::string model;
  std::string dataset;
  int64_t seed = 0;
  double confidence_level = 0.95;
  // K of the model (number of logits).
  int num_classes = 0;
  // May be shorter than num_classes; the rest is named "class N".
  std::vector<std::string> class_names;
  // Whether class_names may be more or fewer than num_classes, and classes without samples; the
  // report says so then.
  bool allow_missing_classes = false;
  // Samples that each condition will have in the end.
  int64_t expected_samples = 0;
  // Of an evaluation that stopped when its gates were decided: how many samples it was to have at
  // most. 0: it did not, and expected_samples says that.
  int64_t samples_allowed = 0;
  std::vector<ConditionOutcomes> conditions;
  // Where the outcomes of conditions[i] are, unless they are there; numerics and passes add to
  // those below. BuildReport asks for each once, in their order, and holds one at a time.
  std::function<absl::StatusOr<StoredOutcomes>(size_t condition)> read_outcomes;
  std::vector<v1::NumericsFingerprint> numerics;
  // Over all tasks.
  v1::PassCounts passes;
  // Taken into the report as it is.
  std::optional<v1::Provenance> provenance;
  // Of the images; with it the parameter table of corruptions is known.
  v1::ImageShape shape;
  // What normalises corruption errors; absent: see corruption_summary.h.
  std::optional<v1::ReferenceErrors> reference_errors;
  // What the engine found at load; without it, checks of the model do not apply.
  std::optional<v1::ModelValidation> validation;
  // Certificates of smoothing at another failure probability, and from fewer draws; 0: as run.
  double alpha = 0;
  int64_t n = 0;
  // What is known of the samples of the dataset, but for the confidence of the clean prediction,
  // which outcomes tell.
  std::vector<SampleColumn> columns;
  // The confidence of the clean prediction, where outcomes are still to be read.
  std::optional<SampleColumn> confidence;
};

// One for each of num_classes: "class N" where there is none.
std::vector<std::string> ClassNames(const ReportInput& input);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_REPORT_INPUT_H_
