// A model that wants its images otherwise, or answers otherwise, than all of Assay does.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_APPLY_INTERFACE_H_
#define ASSAY_SERVER_ENGINE_IMPORT_APPLY_INTERFACE_H_

#include <torch/script.h>

#include "absl/status/statusor.h"
#include "assay/v1/models.pb.h"

namespace assay::engine {

// A module around `model` that takes float32 NCHW images in [0,1] and returns logits. It is a part
// of the graph, so that gradients are those of the images. `model` must not have run, and is
// changed; kModelOutputInvalid when it has no such output.
absl::StatusOr<torch::jit::Module> ApplyInterface(const v1::ModelInterface& interface,
                                                  torch::jit::Module model);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_APPLY_INTERFACE_H_
