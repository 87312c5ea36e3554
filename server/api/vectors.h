// Reads what an evaluation kept of its images: softmax outputs, or features of a layer.
#ifndef ASSAY_SERVER_API_VECTORS_H_
#define ASSAY_SERVER_API_VECTORS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/outcomes.pb.h"
#include "core/report/compared_vectors.h"
#include "server/store/blob_store.h"
#include "server/store/evaluations.h"

namespace assay::api {

// What was kept of this kind among the outcomes of a task; nullptr: nothing.
const v1::OutcomeBatch::Vectors* KeptOf(const v1::OutcomeBatch& outcomes, v1::VectorKind kind);
// Its numbers, row by row.
absl::StatusOr<std::vector<float>> ReadKept(const store::BlobStore& blobs,
                                            const v1::OutcomeBatch::Vectors& vectors);

// What `evaluation` (its full name) has kept of this kind under its condition of index `condition`,
// of all tasks that are done; nullopt: nothing was kept, because it was not asked for, or because
// the condition shows no single image of a sample (docs/metrics.md). What is wanted is held in
// memory, beside one task. As they were stored (docs/decisions/0015-kept-vectors.md): probabilities
// add up to one within 1e-6. Errors: kNotFound, kStorageFailed; kInternal for a blob that is not
// what its record says.
absl::StatusOr<std::optional<report::Vectors>> ReadVectors(store::Evaluations& evaluations,
                                                           const store::BlobStore& blobs,
                                                           const std::string& evaluation,
                                                           int condition, v1::VectorKind kind,
                                                           const report::WantedVectors& wanted);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_VECTORS_H_
