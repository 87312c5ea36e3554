// Checks uploaded chunks against a manifest and makes the dataset's record of them.
#ifndef ASSAY_SERVER_API_DATASET_COMMIT_H_
#define ASSAY_SERVER_API_DATASET_COMMIT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "assay/v1/datasets.pb.h"
#include "server/api/context.h"

namespace assay::api {

// Checks the bytes of one chunk: size, labels, and that float pixels are finite and in [0, 1].
// `what` names the chunk in the error (kInvalidDataset); sample numbers start at `first_sample`.
// Returns the largest label.
absl::StatusOr<int> CheckChunk(const v1::DatasetManifest& manifest, absl::string_view bytes,
                               int32_t samples, const std::string& what, int64_t first_sample);

// Digests of everything that a manifest names.
std::vector<std::string> BlobsOf(const v1::DatasetManifest& manifest);

// The dataset of a manifest whose chunks are all there and valid. Empty id: from the digest.
// `holder` holds the chunks from now on. What reports need of the images is measured and kept.
absl::StatusOr<v1::Dataset> PrepareDataset(Context& context, const std::string& id,
                                           const v1::DatasetManifest& manifest,
                                           const std::string& holder);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_DATASET_COMMIT_H_
