#include "server/engine/torch/torch_network.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "server/engine/torch/torch_operators.h"

namespace assay::engine::bounds {
namespace {

using c10::IValue;
namespace jit = torch::jit;

// Questions about a tensor that its shape and type answer.
const std::set<std::string>& Questions() {
  static const auto* const names = new std::set<std::string>{
      "aten::size",  "aten::dim",    "aten::numel",  "aten::is_floating_point",
      "prim::dtype", "prim::device", "prim::layout", "prim::is_cuda"};
  return *names;
}

class Reader {
 public:
  explicit Reader(const Shape& image)
      : image_(image), operators_(MakeOperatorTranslator(image.size())) {}

  // `module` is the first argument of its forward.
  absl::Status Read(jit::Graph& graph, const jit::Module& module) {
    if (graph.inputs().size() != 2) return Unsupported("a forward with more than one argument");
    values_[graph.inputs()[0]].known = module._ivalue();
    Tracked image;
    image.node = 0;
    image.sizes = {1, image_.channels, image_.height, image_.width};
    values_[graph.inputs()[1]] = image;
    ASSAY_RETURN_IF_ERROR(Walk(*graph.block()));
    const Tracked* const output = Find(graph.outputs().at(0));
    if (output == nullptr || !output->moves()) {
      return Unsupported("logits that do not depend on the image");
    }
    if (output->node != operators_->network().output() || output->sizes.size() != 2 ||
        output->sizes[0] != 1) {
      return Unsupported("logits that are not the last thing computed, N x K");
    }
    return absl::OkStatus();
  }

  Network Take() { return operators_->Take(); }

 private:
  absl::Status Unsupported(absl::string_view what) const {
    return UnsupportedOperator(kind_, what);
  }

  const Tracked* Find(const jit::Value* value) const {
    const auto found = values_.find(value);
    return found == values_.end() ? nullptr : &found->second;
  }

  absl::Status Walk(jit::Block& block) {
    for (jit::Node* node : block.nodes()) {
      kind_ = node->kind().toQualString();
      ASSAY_RETURN_IF_ERROR(Visit(*node));
    }
    kind_.clear();
    return absl::OkStatus();
  }

  absl::Status Visit(jit::Node& node) {
    if (kind_ == "prim::Constant") {
      const auto value = jit::toIValue(node.output());
      if (!value) return Unsupported("this constant");
      values_[node.output()].known = *value;
      return absl::OkStatus();
    }
    std::vector<const Tracked*> inputs;
    bool known = true;
    for (const jit::Value* input : node.inputs()) {
      inputs.push_back(Find(input));
      // Only lists of activations are left without a value: whoever uses one is named.
      if (inputs.back() == nullptr) return Unsupported(kind_);
      known = known && !inputs.back()->moves();
    }
    if (!known && kind_ == "prim::ListConstruct") return absl::OkStatus();
    if (known) return Compute(node, inputs);
    return Follow(node, Arguments(std::move(inputs)));
  }

  // A node that does not depend on the image.
  absl::Status Compute(jit::Node& node, const std::vector<const Tracked*>& inputs) {
    if (kind_ == "prim::If") {
      jit::Block& taken = *node.blocks()[inputs[0]->known.toBool() ? 0 : 1];
      ASSAY_RETURN_IF_ERROR(Walk(taken));
      for (size_t i = 0; i < node.outputs().size(); ++i) {
        const Tracked* const value = Find(taken.outputs()[i]);
        if (value != nullptr) values_[node.outputs()[i]] = Tracked(*value);
      }
      return absl::OkStatus();
    }
    if (kind_ == "prim::RaiseException" || !node.blocks().empty() || node.isNondeterministic()) {
      return Unsupported(kind_);
    }
    if (kind_ == "prim::GetAttr") {
      values_[node.output()].known = inputs[0]->known.toObject()->getAttr(node.s(jit::attr::name));
      return absl::OkStatus();
    }
    if (kind_ == "prim::ListConstruct") {
      c10::impl::GenericList list(
          node.output()->type()->expectRef<c10::ListType>().getElementType());
      for (const Tracked* input : inputs) list.push_back(input->known);
      values_[node.output()].known = IValue(std::move(list));
      return absl::OkStatus();
    }
    if (kind_ == "prim::ListUnpack") {
      const auto list = inputs[0]->known.toListRef();
      for (size_t i = 0; i < node.outputs().size(); ++i) {
        values_[node.outputs()[i]].known = IValue(list.at(i));
      }
      return absl::OkStatus();
    }
    if (node.maybeOperator() == nullptr) return Unsupported(kind_);
    jit::Stack stack;
    for (const Tracked* input : inputs) stack.push_back(input->known);
    // An operator of any number of arguments is told how many there are.
    if (node.getOperator().schema().is_vararg()) {
      stack.emplace_back(static_cast<int64_t>(inputs.size()));
    }
    return Answer(node, std::move(stack));
  }

  // Runs the operator on what is on the stack.
  absl::Status Answer(jit::Node& node, jit::Stack stack) {
    node.getOperation()(stack);
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      values_[node.outputs()[i]].known = stack.at(i);
    }
    return absl::OkStatus();
  }

  // A node that depends on the image.
  absl::Status Follow(jit::Node& node, const Arguments& arguments) {
    if (Questions().count(kind_) > 0) {
      jit::Stack stack{IValue(at::zeros(arguments[0].sizes, at::kFloat))};
      for (size_t i = 1; i < arguments.size(); ++i) stack.push_back(arguments.Known(i));
      return Answer(node, std::move(stack));
    }
    absl::string_view name = kind_;
    if (!absl::ConsumePrefix(&name, "aten::") || node.outputs().size() != 1) {
      return Unsupported(kind_);
    }
    // relu_ is relu that also changes its argument.
    const bool in_place = absl::EndsWith(name, "_") && !absl::StartsWith(name, "_");
    if (in_place) name.remove_suffix(1);
    const Tracked changed = arguments[0];
    if (in_place && (!changed.moves() || changed.partial_view)) {
      return Unsupported(absl::StrCat(kind_, " on part of a tensor"));
    }
    ASSAY_ASSIGN_OR_RETURN(Tracked result,
                           operators_->Translate(node, std::string(name), arguments));
    if (in_place) {
      result.storage = changed.storage;
      for (auto& [value, tracked] : values_) {
        if (tracked.moves() && tracked.storage == changed.storage) {
          tracked.node = result.node;
        }
      }
    }
    values_[node.output()] = result;
    return absl::OkStatus();
  }

  const Shape image_;
  const std::unique_ptr<OperatorTranslator> operators_;
  std::map<const jit::Value*, Tracked> values_;
  // Of the node being read.
  std::string kind_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Network>> ReadNetwork(const jit::Module& module,
                                                           const Shape& image) {
  jit::Module copy = module.deepcopy();
  copy.to(at::kCPU);
  // A module without this attribute was frozen before it was saved, and cannot be again.
  if (copy.hasattr("training")) {
    // Freezing inlines submodules only where the optimizer is on. Its numeric optimisations stay
    // off: batch norms are folded here, in double precision.
    jit::GraphOptimizerEnabledGuard optimizer(true);
    copy = jit::freeze(copy, {}, /*optimize_numerics=*/false);
  }
  const std::shared_ptr<jit::Graph> graph = copy.get_method("forward").graph()->copy();
  jit::Inline(*graph);
  Reader reader(image);
  ASSAY_RETURN_IF_ERROR(reader.Read(*graph, copy));
  return std::make_shared<const Network>(reader.Take());
}

}  // namespace assay::engine::bounds
