// Reports of stored evaluations.
#ifndef ASSAY_SERVER_API_REPORTS_H_
#define ASSAY_SERVER_API_REPORTS_H_

#include <optional>

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/models.pb.h"
#include "assay/v1/reports.pb.h"
#include "core/report/report_input.h"
#include "server/store/blob_store.h"
#include "server/store/catalog.h"
#include "server/store/evaluations.h"

namespace assay::api {

// What is known of the evaluation's model; nullopt while no engine has seen it, and when it has
// been deleted.
absl::StatusOr<std::optional<v1::ModelValidation>> ValidationOf(
    store::Catalog& catalog, const store::EvaluationRecord& evaluation);

// What a report or a comparison starts from: all but outcomes, numerics and the caller's options.
// Without `validation` num_classes is what the names tell; outcomes can tell more (CountClasses).
absl::StatusOr<report::ReportInput> InputOf(store::Catalog& catalog,
                                            store::Evaluations& evaluations,
                                            const store::EvaluationRecord& evaluation,
                                            const std::optional<v1::ModelValidation>& validation);

// Where the numbers of the evaluation come from, as far as that is stored. The digest of the model
// is the one that it had when the evaluation was made, whatever has its name now.
absl::StatusOr<v1::Provenance> ProvenanceOf(store::Catalog& catalog,
                                            const store::EvaluationRecord& evaluation);
// InputOf with what has been committed so far.
absl::StatusOr<report::ReportInput> InputWithOutcomes(
    store::Catalog& catalog, store::Evaluations& evaluations,
    const store::EvaluationRecord& evaluation,
    const std::optional<v1::ModelValidation>& validation);

// Without a validation: raises num_classes to what the stored outcomes tell, all of which it reads.
absl::Status CountClasses(store::Evaluations& evaluations, report::ReportInput* input);

// Computes the report of what has been committed so far; of `options` the name is ignored. Holds
// the outcomes of one condition at a time. To be had from the ReportCache. `blobs` are read for
// what is known of the samples.
absl::StatusOr<v1::Report> ReportOf(store::Catalog& catalog, store::Evaluations& evaluations,
                                    const store::BlobStore& blobs,
                                    const store::EvaluationRecord& evaluation,
                                    const std::optional<v1::ModelValidation>& validation,
                                    const v1::GetReportRequest& options);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_REPORTS_H_
