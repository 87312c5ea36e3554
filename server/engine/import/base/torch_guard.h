// Calls of LibTorch, and what it throws.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_BASE_TORCH_GUARD_H_
#define ASSAY_SERVER_ENGINE_IMPORT_BASE_TORCH_GUARD_H_

#include <torch/csrc/jit/runtime/graph_executor.h>

#include <exception>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/errors.h"

namespace assay::engine {

// "1.13.1"
std::string LibTorchVersion();

// The part of LibTorch's error texts that a user can use: from "RuntimeError: " on, or the first
// line.
std::string ShortTorchError(const std::string& text);

// What `text`, thrown by LibTorch, means: kOutOfMemory, or `reason` with `what` and the short text.
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

#endif  // ASSAY_SERVER_ENGINE_IMPORT_BASE_TORCH_GUARD_H_
