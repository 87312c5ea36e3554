// Metadata of samples as people write it: a CSV with a header and one row a sample.
#ifndef ASSAY_CLIENT_DATA_METADATA_FILE_H_
#define ASSAY_CLIENT_DATA_METADATA_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/sample_metadata.h"

namespace assay::client {

// The table of a file. kUnreadableInput with the line and the column for what cannot be read, with
// both numbers for one that has not `samples` rows. Only the first `limit` rows are kept, after all
// have been checked (0: all).
absl::StatusOr<MetadataTable> ReadMetadataFile(const std::string& path, int64_t samples,
                                               int64_t limit);

// Cuts columns of numbers as users write it: "age=18,40,65" makes ranges that meet there,
// "camera=values" makes each number a value of its own. kInvalidArgument tells which was wrong.
absl::Status ApplyEdges(const std::vector<std::string>& edges, MetadataTable* table);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_METADATA_FILE_H_
