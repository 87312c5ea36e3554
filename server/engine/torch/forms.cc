#include "server/engine/torch/forms.h"

#include <torch/csrc/jit/runtime/graph_executor.h>

#include <string>

namespace assay::engine {
namespace {

// With as many convolutions, gradient passes in the NHWC format win more than the conversion of the
// images and of what follows the last of them costs.
constexpr int kDeep = 8;

int CountConvolutions(const torch::jit::Block& block) {
  int count = 0;
  for (const torch::jit::Node* node : block.nodes()) {
    const std::string kind = node->kind().toQualString();
    count += kind == "aten::conv2d" || kind == "aten::_convolution" ? 1 : 0;
    for (const torch::jit::Block* inner : node->blocks()) count += CountConvolutions(*inner);
  }
  return count;
}

// A copy of the module whose weights have the memory format of its images, or every convolution
// would convert them.
torch::jit::Module InFormat(const torch::jit::Module& module, at::MemoryFormat format) {
  torch::jit::Module copy = module.clone();
  for (at::Tensor parameter : copy.parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(format));
  }
  return copy;
}

}  // namespace

at::MemoryFormat FormatFor(const torch::jit::Module& frozen, const at::Device& device) {
  const auto graph = frozen.get_method("forward").graph();
  return !device.is_cuda() && CountConvolutions(*graph->block()) >= kDeep
             ? at::MemoryFormat::ChannelsLast
             : at::MemoryFormat::Contiguous;
}

torch::jit::Module Freeze(const torch::jit::Module& module, at::MemoryFormat format) {
  // Freezing inlines submodules only where the optimizer is on.
  const torch::jit::GraphOptimizerEnabledGuard optimizer(true);
  return torch::jit::freeze(format == at::MemoryFormat::Contiguous ? module
                                                                   : InFormat(module, format));
}

}  // namespace assay::engine
