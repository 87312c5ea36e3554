// A TorchScript file as LibTorch reads it, and what its code says of itself before it has run once.
#ifndef ASSAY_SERVER_ENGINE_TORCH_TORCH_MODULE_H_
#define ASSAY_SERVER_ENGINE_TORCH_TORCH_MODULE_H_

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <exception>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/errors.h"

namespace assay::engine {

struct TorchModule {
  // In eval mode; parameters ask for no gradients.
  torch::jit::Module module;
  bool saved_in_training_mode = false;
  // The function that computes gradients by itself: a defence that adapts to each image while it
  // answers. Attacks differentiate the model as it is, not what it does to its own gradients. Empty
  // without.
  std::string autograd_in;
  // An operator that trains whatever the mode of the module, as tracing in training mode leaves it
  // ("aten::batch_norm"); empty without.
  std::string training_in;
  // Whether some path through the code may write into the images that it is given.
  bool writes_to_input = false;
};

// kInvalidModel says what the file is instead, or which operator this LibTorch lacks.
absl::StatusOr<TorchModule> ReadTorchModule(const std::string& path, const at::Device& device);

// "1.13.1"
std::string LibTorchVersion();

// What `text`, thrown by LibTorch, means: kOutOfMemory, or `reason` with `what` and the part of the
// text that a user can use.
absl::Status FromTorchError(Reason reason, absl::string_view what, const std::string& text);

// Runs `body`, which calls LibTorch, and turns what it throws into a status of reason `reason`.
template <typename Body>
absl::Status Guarded(Reason reason, absl::string_view what, const Body& body) {
  try {
    // The profiling executor specialises on the first calls' shapes; it has given wrong gradients
    // (pytorch#70223, #51328) and makes early calls differ from later ones. The plain interpreter
    // does neither.
    torch::jit::GraphOptimizerEnabledGuard no_optimizer(false);
    return body();
  } catch (const std::exception& error) {
    return FromTorchError(reason, what, error.what());
  }
}

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_TORCH_MODULE_H_
