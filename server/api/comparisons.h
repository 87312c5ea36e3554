// Comparisons of stored evaluations.
#ifndef ASSAY_SERVER_API_COMPARISONS_H_
#define ASSAY_SERVER_API_COMPARISONS_H_

#include <functional>

#include "absl/status/statusor.h"
#include "assay/v1/comparison.pb.h"
#include "server/store/blob_store.h"
#include "server/store/catalog.h"
#include "server/store/evaluations.h"

namespace assay::api {

// Reads one condition of all evaluations after the other, so that no more than that is in memory,
// and of kept vectors two models at a time.
// kNotFound for an evaluation that does not exist; else as core/report/comparability.h and
// comparison.h say. kCancelled once `cancelled` says so, which is asked before each condition.
absl::StatusOr<v1::Comparison> ComparisonOf(store::Catalog& catalog,
                                            store::Evaluations& evaluations,
                                            store::BlobStore& blobs,
                                            const v1::CompareEvaluationsRequest& request,
                                            const std::function<bool()>& cancelled);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_COMPARISONS_H_
