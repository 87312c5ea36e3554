// The last linear layer of a model: of the last operator before the logits that has weights to
// multiply, or stands for a whole layer, where that is linear (aten::linear, addmm, mm or matmul
// with one factor that does not depend on the image; a convolution) and everything on its way from
// the image to the logits passes it. Private to the files that include LibTorch.
#ifndef ASSAY_SERVER_ENGINE_TORCH_PENULTIMATE_H_
#define ASSAY_SERVER_ENGINE_TORCH_PENULTIMATE_H_

#include <torch/script.h>

#include "absl/status/statusor.h"

namespace assay::engine {

struct Penultimate {
  // The last operator before the logits that has weights to multiply.
  torch::jit::Node* layer = nullptr;
  // What it multiplies by them.
  torch::jit::Value* input = nullptr;
};

// In the graph of a `forward`, its calls inlined. kInvalidArgument says why there is none: that
// operator is not linear, or not everything between the image and the logits passes it.
absl::StatusOr<Penultimate> FindPenultimate(torch::jit::Graph& graph);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_PENULTIMATE_H_
