#include "server/engine/torch/layers.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/base/layer_names.h"
#include "server/engine/torch/penultimate.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;

bool IsTensor(const jit::Value& value) { return value.type()->kind() == c10::TypeKind::TensorType; }

// What calls of one submodule there are.
struct Calls {
  std::string name;
  int count = 0;
  // Some are within a branch or a loop.
  bool conditional = false;
  // What the first one returned, before anything could change it in place; nullptr where that is no
  // tensor.
  jit::Value* answer = nullptr;

  bool available() const { return count == 1 && !conditional && answer != nullptr; }
};

// Inlines the calls of submodules in the graph of a `forward`, one after the other, and notes them.
class CallReader {
 public:
  // `inside` as Layers has it.
  CallReader(jit::Graph& graph, const std::string& inside)
      : graph_(graph), prefix_(inside.empty() ? "" : inside + ".") {
    paths_[graph.inputs().at(0)] = "";
    jit::Node* node = graph.return_node()->next();
    while (node != graph.return_node()) node = Visit(*node);
  }

  // In the order of their first calls.
  const std::vector<Calls>& calls() const { return calls_; }

 private:
  // Returns the next one.
  jit::Node* Visit(jit::Node& node) {
    jit::Node* const next = node.next();
    for (jit::Block* block : node.blocks()) NoteConditional(*block);
    FollowAttribute(node);
    const std::string* const path = CalledModule(node);
    if (path == nullptr) return next;
    const std::string name = *path;
    const auto type = node.input(0)->type()->cast<c10::ClassType>();
    jit::Function* const method =
        type == nullptr ? nullptr : type->findMethod(node.s(jit::attr::name));
    if (IsForward(node)) Note(name, node, /*conditional=*/false);
    if (method == nullptr || !method->isGraphFunction()) return next;
    method->ensure_defined();
    jit::Node* const before = node.prev();
    // As it was written: in its optimized graph, its own calls are inlined already.
    jit::GraphFunction& called = jit::toGraphFunction(*method);
    jit::inlineCallTo(&node, &called, called.graph().get());
    return before->next();
  }

  void NoteConditional(jit::Block& block) {
    for (jit::Node* node : block.nodes()) {
      FollowAttribute(*node);
      const std::string* const path = CalledModule(*node);
      if (path != nullptr && IsForward(*node)) Note(*path, *node, /*conditional=*/true);
      for (jit::Block* inner : node->blocks()) NoteConditional(*inner);
    }
  }

  void FollowAttribute(const jit::Node& node) {
    if (node.kind() != c10::prim::GetAttr) return;
    const auto found = paths_.find(node.input(0));
    if (found == paths_.end()) return;
    const std::string& name = node.s(jit::attr::name);
    paths_[node.output()] = found->second.empty() ? name : absl::StrCat(found->second, ".", name);
  }

  const std::string* CalledModule(const jit::Node& node) const {
    if (node.kind() != c10::prim::CallMethod) return nullptr;
    const auto found = paths_.find(node.input(0));
    return found == paths_.end() ? nullptr : &found->second;
  }

  // A trace calls the methods of later calls forward1, forward2, ...
  static bool IsForward(const jit::Node& node) {
    return absl::StartsWith(node.s(jit::attr::name), "forward");
  }

  void Note(absl::string_view path, jit::Node& node, bool conditional) {
    if (!absl::ConsumePrefix(&path, prefix_) || path.empty()) return;
    auto found = std::find_if(calls_.begin(), calls_.end(),
                              [&](const Calls& calls) { return calls.name == path; });
    if (found == calls_.end()) {
      found = calls_.insert(calls_.end(), Calls{std::string(path)});
    }
    ++found->count;
    found->conditional = found->conditional || conditional;
    if (conditional || found->answer != nullptr || !IsTensor(*node.output())) return;
    const jit::WithInsertPoint after(node.next());
    found->answer = graph_.insert(c10::aten::clone, {node.output()});
  }

  jit::Graph& graph_;
  const std::string prefix_;
  // Of values that are submodules.
  std::map<const jit::Value*, std::string> paths_;
  std::vector<Calls> calls_;
};

// Makes `forward` return this value of its graph.
void Return(jit::Module& module, jit::Value* value) {
  jit::Function& function = module.get_method("forward").function();
  const std::shared_ptr<jit::Graph> graph = jit::toGraphFunction(function).graph();
  graph->eraseOutput(0);
  graph->registerOutput(value);
  function.setSchema(function.getSchema().cloneWithReturns({c10::Argument("", value->type())}));
  jit::EliminateDeadCode(graph);
}

std::shared_ptr<jit::Graph> GraphOf(const jit::Module& module) {
  return module.get_method("forward").graph();
}

void InlineAll(jit::Graph& graph) {
  // Calls are inlined only where the optimizer is on.
  const jit::GraphOptimizerEnabledGuard optimizer(true);
  jit::Inline(graph);
}

}  // namespace

std::vector<std::string> Layers::Names() const {
  std::vector<std::string> names;
  const std::shared_ptr<jit::Graph> inlined = GraphOf(frozen_)->copy();
  InlineAll(*inlined);
  if (FindPenultimate(*inlined).ok()) names.emplace_back(kPenultimate);
  const std::shared_ptr<jit::Graph> graph = GraphOf(module_)->copy();
  const CallReader reader(*graph, inside_);
  for (const Calls& calls : reader.calls()) {
    if (calls.available() && calls.name != kPenultimate) names.push_back(calls.name);
  }
  return names;
}

jit::Module Layers::Returning(const std::vector<std::string>& names) const {
  jit::Module copy = module_.clone();
  const std::shared_ptr<jit::Graph> graph = GraphOf(copy);
  const CallReader reader(*graph, inside_);
  std::vector<jit::Value*> answers;
  for (const std::string& name : names) {
    for (const Calls& calls : reader.calls()) {
      if (calls.name == name) answers.push_back(calls.answer);
    }
  }
  const jit::WithInsertPoint end(graph->return_node());
  Return(copy, graph->insertNode(graph->createTuple(answers))->output());
  return copy;
}

absl::StatusOr<jit::Module> Layers::Returning(const std::string& name) const {
  if (name == kPenultimate) {
    jit::Module copy = frozen_.clone();
    const std::shared_ptr<jit::Graph> graph = GraphOf(copy);
    InlineAll(*graph);
    const auto found = FindPenultimate(*graph);
    if (!found.ok()) return Refuse(name);
    const jit::WithInsertPoint before(found->layer);
    Return(copy, graph->insert(c10::aten::clone, {found->input}));
    return copy;
  }
  jit::Module copy = module_.clone();
  const CallReader reader(*GraphOf(copy), inside_);
  for (const Calls& calls : reader.calls()) {
    if (calls.name != name || !calls.available()) continue;
    Return(copy, calls.answer);
    return copy;
  }
  return Refuse(name);
}

absl::Status Layers::Refuse(const std::string& name) const {
  std::string why;
  if (name == kPenultimate) {
    const std::shared_ptr<jit::Graph> inlined = GraphOf(frozen_)->copy();
    InlineAll(*inlined);
    why = absl::StrCat("the model has no layer 'penultimate': ",
                       FindPenultimate(*inlined).status().message());
  }
  const std::shared_ptr<jit::Graph> graph = GraphOf(module_)->copy();
  const CallReader reader(*graph, inside_);
  for (const Calls& calls : reader.calls()) {
    if (calls.name != name || calls.available()) continue;
    why = absl::StrCat("the answer of layer '", name, "' cannot be kept: it ",
                       calls.conditional ? "is called within a branch or a loop"
                       : calls.count != 1
                           ? absl::StrCat("is called ", calls.count, " times in a pass")
                           : "does not return one tensor");
  }
  return Error(Reason::kInvalidArgument, RefuseLayer(name, Names(), why));
}

jit::Module FlattenOutput(const jit::Module& module) {
  jit::Module flat = module.clone();
  const std::shared_ptr<jit::Graph> graph = GraphOf(flat);
  const jit::WithInsertPoint end(graph->return_node());
  Return(flat, graph->insert(c10::aten::flatten, {graph->outputs().at(0), 1}));
  return flat;
}

}  // namespace assay::engine
