// Runs a corruption condition: corrupted copies of the samples through the model.
#ifndef ASSAY_SERVER_ENGINE_CORRUPTIONS_RUN_H_
#define ASSAY_SERVER_ENGINE_CORRUPTIONS_RUN_H_

#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/task.h"

namespace assay::engine {

// Images are rounded to 8 bits first, as the published corruptions work on 8-bit images.
// kInvalidCondition for a corruption that does not exist or makes no sense for the image's
// channels.
absl::StatusOr<std::vector<v1::Outcome>> RunCorruption(const TaskContext& task);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_CORRUPTIONS_RUN_H_
