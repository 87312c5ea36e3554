// Layers whose products give a row the same bits in batches of all sizes. Private to the files that
// include LibTorch.
#ifndef ASSAY_SERVER_ENGINE_TORCH_ROW_WISE_LINEAR_H_
#define ASSAY_SERVER_ENGINE_TORCH_ROW_WISE_LINEAR_H_

#include <torch/script.h>

namespace assay::engine {

// Lets the linear layers of a frozen module on the CPU compute row by row
// (server/engine/base/row_products.h), with their gradients by the input; returns how many there
// are. Layers whose weights are not constants in float32 stay as they are.
int MakeRowWise(torch::jit::Module& frozen);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_ROW_WISE_LINEAR_H_
