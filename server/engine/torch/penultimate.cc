#include "server/engine/torch/penultimate.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;

// Their one argument that depends on the image is multiplied by weights.
const std::set<std::string>& LinearOperators() {
  static const auto* const names =
      new std::set<std::string>{"aten::linear",      "aten::addmm",           "aten::mm",
                                "aten::matmul",      "aten::addmv",           "aten::mv",
                                "aten::bmm",         "aten::baddbmm",         "aten::conv1d",
                                "aten::conv2d",      "aten::conv3d",          "aten::_convolution",
                                "aten::convolution", "assay::row_wise_linear"};
  return *names;
}

// Others of ATen that have weights, or stand for whole layers.
const std::set<std::string>& OtherLayers() {
  static const auto* const names = new std::set<std::string>{"aten::einsum",
                                                             "aten::bilinear",
                                                             "aten::cdist",
                                                             "aten::tensordot",
                                                             "aten::dot",
                                                             "aten::vdot",
                                                             "aten::lstm",
                                                             "aten::gru",
                                                             "aten::rnn_tanh",
                                                             "aten::rnn_relu",
                                                             "aten::lstm_cell",
                                                             "aten::gru_cell",
                                                             "aten::conv_tbc",
                                                             "aten::conv_transpose1d",
                                                             "aten::conv_transpose2d",
                                                             "aten::embedding",
                                                             "aten::conv_transpose3d",
                                                             "aten::scaled_dot_product_attention",
                                                             "aten::addbmm",
                                                             "aten::addr",
                                                             "aten::outer",
                                                             "aten::inner",
                                                             "aten::chain_matmul",
                                                             "aten::linalg_multi_dot"};
  return *names;
}

// Questions about a tensor that its shape and type answer.
const std::set<std::string>& Questions() {
  static const auto* const names = new std::set<std::string>{
      "aten::size",       "aten::dim",       "aten::numel",     "aten::len",
      "aten::zeros_like", "aten::ones_like", "aten::full_like", "aten::is_floating_point",
      "aten::new_zeros",  "aten::new_ones",  "aten::new_full",  "aten::empty_like",
      "prim::dtype",      "prim::device",    "prim::layout",    "prim::is_cuda"};
  return *names;
}

std::string KindOf(const jit::Node& node) { return node.kind().toQualString(); }

bool IsLayer(const jit::Node& node) {
  const std::string kind = KindOf(node);
  // What other libraries do is not known.
  return LinearOperators().count(kind) > 0 || OtherLayers().count(kind) > 0 ||
         !(absl::StartsWith(kind, "aten::") || absl::StartsWith(kind, "prim::"));
}

using Values = std::set<const jit::Value*>;

// Adds what nodes of `block` compute from `values`, but by `without`. Returns whether there is any.
bool Follow(const jit::Block& block, const jit::Node* without, Values& values) {
  bool any = false;
  for (const jit::Node* node : block.nodes()) {
    if (node == without || Questions().count(KindOf(*node)) > 0) continue;
    bool follows = false;
    for (const jit::Value* input : node->inputs()) follows |= values.count(input) > 0;
    for (const jit::Block* inner : node->blocks()) {
      // What a loop carries on from one turn to the next.
      if (follows) values.insert(inner->inputs().begin(), inner->inputs().end());
      follows |= Follow(*inner, without, values);
    }
    if (!follows) continue;
    values.insert(node->outputs().begin(), node->outputs().end());
    any = true;
  }
  return any;
}

Values FromImage(const jit::Graph& graph, const jit::Node* without = nullptr) {
  // The first input is the module.
  Values values = {graph.inputs().at(1)};
  Follow(*graph.block(), without, values);
  return values;
}

// Adds the nodes of which the logits are computed to `nodes`.
void Before(const jit::Value* value, std::set<const jit::Node*>& nodes) {
  std::vector<const jit::Node*> open = {value->node()};
  while (!open.empty()) {
    const jit::Node* const node = open.back();
    open.pop_back();
    if (!nodes.insert(node).second) continue;
    std::vector<const jit::Value*> needed(node->inputs().begin(), node->inputs().end());
    std::vector<const jit::Block*> blocks(node->blocks().begin(), node->blocks().end());
    while (!blocks.empty()) {
      const jit::Block* const block = blocks.back();
      blocks.pop_back();
      needed.insert(needed.end(), block->outputs().begin(), block->outputs().end());
      for (const jit::Node* inner : block->nodes()) {
        needed.insert(needed.end(), inner->inputs().begin(), inner->inputs().end());
        blocks.insert(blocks.end(), inner->blocks().begin(), inner->blocks().end());
      }
    }
    for (const jit::Value* input : needed) open.push_back(input->node());
  }
}

bool HasLayerWithin(const jit::Node& node) {
  for (const jit::Block* block : node.blocks()) {
    for (const jit::Node* inner : block->nodes()) {
      if (IsLayer(*inner) || HasLayerWithin(*inner)) return true;
    }
  }
  return false;
}

absl::Status None(absl::string_view why) { return Error(Reason::kInvalidArgument, why); }

}  // namespace

absl::StatusOr<Penultimate> FindPenultimate(jit::Graph& graph) {
  if (graph.inputs().size() != 2) return None("its forward takes more than images");
  const jit::Value* const logits = graph.outputs().at(0);
  const Values values = FromImage(graph);
  std::set<const jit::Node*> used;
  Before(logits, used);
  Penultimate last;
  for (jit::Node* node : graph.block()->nodes()) {
    const bool follows = !node->outputs().empty() && values.count(node->output(0)) > 0;
    if (!follows || used.count(node) == 0) continue;
    if (IsLayer(*node) || HasLayerWithin(*node)) last = {node, nullptr};
  }
  if (last.layer == nullptr) return None("no operator with weights is between image and logits");
  const std::string kind = KindOf(*last.layer);
  if (!last.layer->blocks().empty()) {
    return None("its last operator with weights is within a branch or a loop");
  }
  if (LinearOperators().count(kind) == 0) {
    return None(
        absl::StrCat("its last operator with weights is ", kind, ", which is no linear layer"));
  }
  for (jit::Value* input : last.layer->inputs()) {
    if (values.count(input) == 0 || input == last.input) continue;
    if (last.input != nullptr) {
      return None(absl::StrCat("its last ", kind,
                               " multiplies what it computed of the image by "
                               "something else that it computed of the image"));
    }
    last.input = input;
  }
  if (last.input == nullptr) return None("no operator with weights is between image and logits");
  if (FromImage(graph, last.layer).count(logits) > 0) {
    return None(
        absl::StrCat("not everything between the image and the logits passes its last ", kind));
  }
  return last;
}

}  // namespace assay::engine
