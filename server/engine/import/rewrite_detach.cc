#include "server/engine/import/rewrite_detach.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/alias_analysis.h>

#include <vector>

#include "server/engine/import/base/torch_guard.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;

// Traces are full of detached constants; they have no gradients anyway.
bool IsConstant(const jit::Value& value) {
  const auto kind = value.node()->kind();
  return kind == c10::prim::Constant || kind == c10::prim::GetAttr ||
         (kind == c10::Symbol::fromQualString("aten::lift_fresh") &&
          IsConstant(*value.node()->input(0)));
}

void CollectDetach(jit::Block& block, std::vector<jit::Node*>* nodes) {
  for (jit::Node* node : block.nodes()) {
    if (node->kind() == c10::aten::detach && !IsConstant(*node->input(0))) nodes->push_back(node);
    for (jit::Block* inner : node->blocks()) CollectDetach(*inner, nodes);
  }
}

void Rewrite(jit::Graph& graph, jit::Node* node) {
  const jit::WithInsertPoint before(node);
  jit::Value* const copy = graph.insert(c10::aten::clone, {node->input(0)});
  node->output()->replaceAllUsesWith(graph.insert(c10::aten::detach_, {copy}));
  node->destroy();
}

}  // namespace

absl::Status RewriteDetach(jit::Module& module) {
  return Guarded(Reason::kInvalidModel, "its detach() cannot be rewritten", [&] {
    for (jit::Function* function : module._ivalue()->compilation_unit()->get_functions()) {
      if (!function->isGraphFunction()) continue;
      jit::GraphFunction& code = jit::toGraphFunction(*function);
      std::vector<jit::Node*> nodes;
      CollectDetach(*code.graph()->block(), &nodes);
      if (nodes.empty()) continue;
      // As it was before the first of them is rewritten.
      const jit::AliasDb aliases(code.graph());
      std::vector<jit::Node*> unchanged;
      for (jit::Node* node : nodes) {
        if (!aliases.hasWriters(node->output())) unchanged.push_back(node);
      }
      for (jit::Node* node : unchanged) Rewrite(*code.graph(), node);
      code.clear_optimized_graphs();
    }
    return absl::OkStatus();
  });
}

}  // namespace assay::engine
