// The samples of a task, read from chunk files that are mapped into memory.
#ifndef ASSAY_SERVER_ENGINE_CHUNK_SOURCE_H_
#define ASSAY_SERVER_ENGINE_CHUNK_SOURCE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "assay/engine/v1/engine.pb.h"
#include "server/engine/base/task.h"

namespace assay::engine {

// Chunk layout: see DatasetManifest in proto/assay/v1/datasets.proto. Bytes become floats as value
// / 255. kStorageFailed when a file cannot be read or is too short.
absl::StatusOr<std::unique_ptr<SampleSource>> OpenChunks(const engine_rpc::v1::RunRequest& request,
                                                         const Shape& shape);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_CHUNK_SOURCE_H_
