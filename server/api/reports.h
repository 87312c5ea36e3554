// Reports of stored evaluations.
#ifndef ASSAY_SERVER_API_REPORTS_H_
#define ASSAY_SERVER_API_REPORTS_H_

#include "absl/status/statusor.h"
#include "assay/v1/reports.pb.h"
#include "server/store/job_store.h"

namespace assay::api {

// The report of what has been committed so far. confidence_level 0: 0.95.
absl::StatusOr<v1::Report> ReportOf(store::JobStore& store,
                                    const store::EvaluationRecord& evaluation,
                                    double confidence_level);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_REPORTS_H_
