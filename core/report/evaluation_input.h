// How the input of a report follows from an evaluation: what the server does with what it stores,
// and `assay report recompute` with what it has got of that.
#ifndef ASSAY_CORE_REPORT_EVALUATION_INPUT_H_
#define ASSAY_CORE_REPORT_EVALUATION_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "assay/v1/datasets.pb.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/models.pb.h"
#include "core/report/report_input.h"

namespace assay::report {

// All but outcomes, conditions, numerics, provenance and what a request asks for. `manifest` is
// that of the dataset, whose chunks are not needed, and `samples` how many there are.
// Without `validation` num_classes is what the names tell, and outcomes can tell more (ClassesIn).
ReportInput InputOf(const v1::Evaluation& evaluation, const v1::DatasetManifest& manifest,
                    int64_t samples, const std::optional<v1::ModelValidation>& validation);

// What the request asks for, and the conditions, without outcomes yet. Of the request the name is
// ignored. kInvalidArgument for an unknown reference.
absl::Status AddRequest(const v1::Evaluation& evaluation, const v1::GetReportRequest& request,
                        ReportInput* input);

// Takes the outcome as one of condition number `condition`.
void AddOutcome(size_t condition, v1::Outcome outcome, ReportInput* input);

// How many classes there are at least.
int ClassesIn(const v1::Outcome& outcome);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_EVALUATION_INPUT_H_
