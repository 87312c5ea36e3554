// Passes in less than float32: TF32 of GPUs, and bfloat16.
#ifndef ASSAY_SERVER_ENGINE_TORCH_PRECISION_H_
#define ASSAY_SERVER_ENGINE_TORCH_PRECISION_H_

#include <torch/script.h>

#include "absl/status/status.h"

namespace assay::engine {

// Whether GPUs may round the factors of products to TF32. It is one setting of the process, so a
// second call that asks for something else is kInvalidCondition.
absl::Status AllowTf32(bool allow);

// A copy of a frozen module whose weights, which are constants of its graph, are rounded.
torch::jit::Module InBfloat16(const torch::jit::Module& frozen);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_PRECISION_H_
