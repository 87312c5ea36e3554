// Devices that tracing wrote into the code of a model.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_REWRITE_DEVICES_H_
#define ASSAY_SERVER_ENGINE_IMPORT_REWRITE_DEVICES_H_

#include <torch/script.h>

#include "absl/status/status.h"

namespace assay::engine {

// A model that was traced on a GPU makes its masks and positions on "cuda:0" wherever it is loaded:
// every device in the code of `module` becomes `device`, where its weights are. To be called before
// the module runs.
absl::Status RewriteDevices(torch::jit::Module& module, const at::Device& device);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_REWRITE_DEVICES_H_
