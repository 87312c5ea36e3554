// Reports of stored evaluations.
#ifndef ASSAY_SERVER_API_REPORTS_H_
#define ASSAY_SERVER_API_REPORTS_H_

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/reports.pb.h"
#include "server/store/catalog.h"
#include "server/store/evaluations.h"

namespace assay::api {

// The report of what has been committed so far; of `options` the name is ignored.
absl::StatusOr<v1::Report> ReportOf(store::Catalog& catalog, store::Evaluations& evaluations,
                                    const store::EvaluationRecord& evaluation,
                                    const v1::GetReportRequest& options = v1::GetReportRequest());

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_REPORTS_H_
