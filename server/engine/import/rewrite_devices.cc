#include "server/engine/import/rewrite_devices.h"

#include <torch/csrc/jit/api/function_impl.h>

#include <vector>

#include "server/engine/import/base/torch_guard.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;

// Constants, and those that the code makes of a text: torch.device("cuda:0").
void CollectDevices(jit::Block& block, std::vector<jit::Node*>* nodes) {
  for (jit::Node* node : block.nodes()) {
    const bool constant = node->kind() == c10::prim::Constant &&
                          node->output()->type()->kind() == c10::TypeKind::DeviceObjType;
    if (constant || node->kind() == c10::Symbol::fromQualString("aten::device")) {
      nodes->push_back(node);
    }
    for (jit::Block* inner : node->blocks()) CollectDevices(*inner, nodes);
  }
}

}  // namespace

absl::Status RewriteDevices(jit::Module& module, const at::Device& device) {
  return Guarded(Reason::kInvalidModel, "its devices cannot be rewritten", [&] {
    for (jit::Function* function : module._ivalue()->compilation_unit()->get_functions()) {
      if (!function->isGraphFunction()) continue;
      jit::Graph& graph = *jit::toGraphFunction(*function).graph();
      std::vector<jit::Node*> nodes;
      CollectDevices(*graph.block(), &nodes);
      for (jit::Node* node : nodes) {
        const jit::WithInsertPoint before(node);
        node->output()->replaceAllUsesWith(graph.insertConstant(device));
        node->destroy();
      }
    }
    return absl::OkStatus();
  });
}

}  // namespace assay::engine
