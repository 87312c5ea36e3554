// Operators that LibTorch has for inference only. PyTorch's own modules call them where no gradient
// is asked for, and so a model that was traced in eval mode under torch.no_grad(), as most are, has
// no gradients on any version, until its code is rewritten.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_REWRITE_FAST_PATHS_H_
#define ASSAY_SERVER_ENGINE_IMPORT_REWRITE_FAST_PATHS_H_

#include <torch/script.h>

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace assay::engine {

// Replaces aten::_native_multi_head_attention and aten::_transformer_encoder_layer_fwd, which
// nn.MultiheadAttention and nn.TransformerEncoderLayer leave, by their definition, in all functions
// of `module`: the same values up to rounding, with gradients. To be called before the module runs.
// kInvalidModel for a call that this LibTorch has another form of.
absl::Status RewriteFastPaths(torch::jit::Module& module);

// The operators that `forward` of a module calls, in its own code or that of its submodules, and
// that have no derivative though their results depend on their inputs ("quantized::linear"), each
// once, in the order of their calls.
std::vector<std::string> OperatorsWithoutDerivative(const torch::jit::Module& module);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_REWRITE_FAST_PATHS_H_
