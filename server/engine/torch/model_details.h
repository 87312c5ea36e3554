// What a model is made of. Private to the files that include LibTorch.
#ifndef ASSAY_SERVER_ENGINE_TORCH_MODEL_DETAILS_H_
#define ASSAY_SERVER_ENGINE_TORCH_MODEL_DETAILS_H_

#include <torch/script.h>

#include "assay/v1/models.pb.h"

namespace assay::engine {

// Weights and operators; what has to be measured or tried is for the caller to fill in.
v1::ModelDetails DescribeModule(const torch::jit::Module& module);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_MODEL_DETAILS_H_
