// A report computed again from what is stored of an evaluation, somewhere else than at the server:
// byte for byte the same, or one of the two is wrong.
//
// Example:
//   ASSAY_ASSIGN_OR_RETURN(auto again, Recomputation::Create(facts, request));
//   for (...) ASSAY_RETURN_IF_ERROR(again.Add("clean", outcome));
//   ASSAY_ASSIGN_OR_RETURN(const v1::Report report, std::move(again).Finish());
#ifndef ASSAY_CORE_REPORT_RECOMPUTATION_H_
#define ASSAY_CORE_REPORT_RECOMPUTATION_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "assay/v1/datasets.pb.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/models.pb.h"
#include "assay/v1/reports.pb.h"
#include "core/report/report_input.h"

namespace assay::report {

// What a report comes from beside outcomes.
struct EvaluationFacts {
  v1::Evaluation evaluation;
  // Of the dataset, without its chunks, and how many samples it has.
  v1::DatasetManifest manifest;
  int64_t samples = 0;
  // Absent when the model is gone, as in the server's report.
  std::optional<v1::ModelValidation> validation;
  // What a report only passes on, for it does not follow from outcomes: numerics, passes and
  // provenance, and of each condition the slices, which follow from images and metadata.
  v1::Report kept;
  // What that report was asked for with.
  v1::GetReportRequest kept_for;
};

// The part of a report that EvaluationFacts::kept has.
v1::Report PartToKeep(const v1::Report& report);

class Recomputation {
 public:
  // kInvalidArgument for a request that the evaluation cannot have a report for. One that asks for
  // other intervals or certificates than `kept_for` gives a report without slices, which says so.
  static absl::StatusOr<Recomputation> Create(EvaluationFacts facts,
                                              const v1::GetReportRequest& request);
  // kInvalidArgument for a condition that the evaluation does not have.
  absl::Status Add(absl::string_view condition, v1::Outcome outcome);
  absl::StatusOr<v1::Report> Finish() &&;

 private:
  Recomputation() = default;

  v1::Report kept_;
  bool has_slices_ = false;
  ReportInput input_;
  std::map<std::string, size_t, std::less<>> conditions_;
};

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_RECOMPUTATION_H_
