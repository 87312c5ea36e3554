#include "server/engine/torch/precision.h"

#include <torch/csrc/jit/ir/constants.h>

#include <optional>
#include <vector>

#include "core/base/errors.h"
#include "core/base/mutex.h"

namespace assay::engine {
namespace {

void CollectFloatConstants(torch::jit::Block& block, std::vector<torch::jit::Node*>* nodes) {
  for (torch::jit::Node* node : block.nodes()) {
    if (node->kind() == c10::prim::Constant) {
      const auto value = torch::jit::toIValue(node->output());
      if (value && value->isTensor() && value->toTensor().scalar_type() == at::kFloat) {
        nodes->push_back(node);
      }
    }
    for (torch::jit::Block* inner : node->blocks()) CollectFloatConstants(*inner, nodes);
  }
}

}  // namespace

absl::Status AllowTf32(bool allow) {
  static Mutex mutex;
  static std::optional<bool> allowed;
  MutexLock lock(mutex);
  if (allowed.has_value() && *allowed != allow) {
    return Error(Reason::kInvalidCondition,
                 "of the models that one engine holds some compute in TF32 and some do not, which "
                 "is one setting for all; give all of them --precision tf32, or none");
  }
  allowed = allow;
  at::globalContext().setAllowTF32CuBLAS(allow);
  at::globalContext().setAllowTF32CuDNN(allow);
  return absl::OkStatus();
}

torch::jit::Module InBfloat16(const torch::jit::Module& frozen) {
  torch::jit::Module copy = frozen.clone();
  const auto graph = copy.get_method("forward").graph();
  std::vector<torch::jit::Node*> constants;
  CollectFloatConstants(*graph->block(), &constants);
  for (torch::jit::Node* node : constants) {
    const torch::jit::WithInsertPoint before(node);
    const at::Tensor rounded = torch::jit::toIValue(node->output())->toTensor().to(at::kBFloat16);
    node->output()->replaceAllUsesWith(graph->insertConstant(rounded));
    node->destroy();
  }
  copy.to(at::kBFloat16);
  return copy;
}

}  // namespace assay::engine
