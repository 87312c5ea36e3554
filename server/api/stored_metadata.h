// Metadata of samples as it was uploaded: a chunk, which is what a manifest says or is refused.
#ifndef ASSAY_SERVER_API_STORED_METADATA_H_
#define ASSAY_SERVER_API_STORED_METADATA_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "assay/v1/datasets.pb.h"
#include "core/base/sample_metadata.h"
#include "server/store/blob_store.h"

namespace assay::api {

// The table of metadata that has been declared and checked (CheckMetadata). kInvalidDataset where
// the chunk is not what was declared, or not of that many samples, if their number is known.
absl::StatusOr<MetadataTable> ReadStoredMetadata(const store::BlobStore& blobs,
                                                 const v1::SampleMetadata& declared,
                                                 std::optional<int64_t> samples);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_STORED_METADATA_H_
