// Reads a bounds::Network from a TorchScript module. Private to the files that include LibTorch.
#ifndef ASSAY_SERVER_ENGINE_TORCH_TORCH_NETWORK_H_
#define ASSAY_SERVER_ENGINE_TORCH_TORCH_NETWORK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/engine/base/classifier.h"
#include "server/engine/bounds/network.h"

namespace torch::jit {
struct Module;
}

namespace assay::engine::bounds {

// `module` in evaluation mode, on any device; it is not changed. Its graph is inlined and frozen,
// what depends on weights and shapes alone is computed, and the rest is followed from the image to
// the logits, one operator after the other:
//
//   convolution (2-d), linear, matrix product with a weight, batch norm in evaluation mode;
//   ReLU, leaky ReLU, ReLU6, hardtanh, clamp, sigmoid, tanh;
//   sum and difference of two branches; +, -, *, / with constants;
//   max, average, adaptive average (even windows) and global average pooling;
//   whatever only moves elements: flatten, reshape, permute, slice, zero padding, ...;
//   what does nothing in evaluation mode: dropout, detach, contiguous, ...
//
// kInvalidCondition names the first operator that is none of these, or is used in a way that has no
// bounds. May throw what LibTorch throws.
absl::StatusOr<std::shared_ptr<const Network>> ReadNetwork(const torch::jit::Module& module,
                                                           const Shape& image);

}  // namespace assay::engine::bounds

#endif  // ASSAY_SERVER_ENGINE_TORCH_TORCH_NETWORK_H_
