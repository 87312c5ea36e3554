// Labels that have a file of their own: NPY, a member of an NPZ, or IDX, plain or gzip.
#ifndef ASSAY_CLIENT_DATA_LABELS_H_
#define ASSAY_CLIENT_DATA_LABELS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/data/byte_source.h"

namespace assay::client {

// The labels of `path`: one for each of `images` samples. kUnreadableInput when there are more or
// fewer, or when one is negative or over 2^31 - 1.
absl::StatusOr<std::vector<int32_t>> LoadLabels(const std::string& path, int64_t images);
// Those of an NPY file or member.
absl::StatusOr<std::vector<int32_t>> LoadNpyLabels(ByteSource source, int64_t images);

// The first of `candidates` that exists; otherwise kUnreadableInput that tells which were tried.
absl::StatusOr<std::string> FindLabelFile(const std::string& images_path,
                                          const std::vector<std::string>& candidates);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_LABELS_H_
