// The forms in which a module is run. Private to the files that include LibTorch.
#ifndef ASSAY_SERVER_ENGINE_TORCH_FORMS_H_
#define ASSAY_SERVER_ENGINE_TORCH_FORMS_H_

#include <torch/script.h>

namespace assay::engine {

// The memory format in which gradient passes of a frozen module are the faster ones.
at::MemoryFormat FormatFor(const torch::jit::Module& frozen, const at::Device& device);

// `module`, frozen: constants and batch norms folded, its weights in the memory format of its
// images. May throw what LibTorch throws.
torch::jit::Module Freeze(const torch::jit::Module& module, at::MemoryFormat format);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_FORMS_H_
