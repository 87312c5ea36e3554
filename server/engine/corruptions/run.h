// Runs corruption and sequence conditions: changed copies of the samples through the model.
#ifndef ASSAY_SERVER_ENGINE_CORRUPTIONS_RUN_H_
#define ASSAY_SERVER_ENGINE_CORRUPTIONS_RUN_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "core/corruptions/frost_photographs.h"
#include "server/engine/base/task.h"

namespace assay::engine {

// Images are rounded to 8 bits first, as the published corruptions work on 8-bit images.
// kInvalidCondition for a corruption that does not exist or makes no sense for the image's
// channels, and for frost without photographs (`frost` is nullptr).
absl::StatusOr<std::vector<v1::Outcome>> RunCorruption(const TaskContext& task,
                                                       const corruptions::FrostPhotographs* frost);

// Writes the corrupted image of sample i, as RunCorruption shows it; on several lanes at once.
// Valid as long as the task and `frost`. Errors as above.
absl::StatusOr<std::function<void(size_t i, float* pixels)>> CorruptedImages(
    const TaskContext& task, const corruptions::FrostPhotographs* frost);

// Every frame of every sample; the outcome's own prediction is that of frame 0, the image as it is.
absl::StatusOr<std::vector<v1::Outcome>> RunSequence(const TaskContext& task,
                                                     const corruptions::FrostPhotographs* frost);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_CORRUPTIONS_RUN_H_
