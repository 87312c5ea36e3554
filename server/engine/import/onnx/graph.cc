#include "server/engine/import/onnx/graph.h"

#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/base/torch_guard.h"
#include "server/engine/import/onnx/attributes.h"
#include "server/engine/import/onnx/node.h"
#include "server/engine/import/onnx/operators.h"
#include "server/engine/import/onnx/tensor.h"

namespace assay::engine::onnx {
namespace {

// Functions that call functions may make a small file into a large graph.
constexpr int kMostNodes = 200000;
// Of functions and branches in each other.
constexpr int kDeepest = 64;

// The names of a graph or function, and those of the graphs around it.
struct Scope {
  const Scope* outer = nullptr;
  std::map<std::string, Value> values;
  std::map<std::string, const wire::TensorProto*> initializers;
  // Outputs that operators have and the import does not make: the node's text.
  std::map<std::string, std::string> missing;
  // Of a function: inputs that its caller left out, and what its nodes' attributes may refer to.
  std::set<std::string> absent;
  std::map<std::string, const wire::AttributeProto*> attributes;
};

class Walk {
 public:
  Walk(const wire::ModelProto& model, Emitter& emitter, GraphResult& result)
      : model_(model), emitter_(emitter), result_(result) {
    for (const wire::FunctionProto& function : model.functions()) {
      functions_[{function.domain(), function.name(), function.overload()}] = &function;
    }
  }

  absl::StatusOr<Value> Run(const std::string& input, const Value& images,
                            const std::string& output) {
    Scope scope;
    scope.values.emplace(input, images);
    ASSAY_RETURN_IF_ERROR(AddInitializers(model_.graph(), scope));
    ASSAY_RETURN_IF_ERROR(WalkNodes(model_.graph().node(), model_, {output}, scope, 0));
    return Find(output, scope, "the graph's output");
  }

 private:
  absl::Status Invalid(absl::string_view what) const {
    return Error(Reason::kInvalidModel, absl::StrCat("the ONNX file is no valid model: ", what));
  }

  absl::Status AddInitializers(const wire::GraphProto& graph, Scope& scope) {
    if (graph.sparse_initializer_size() > 0) {
      return Error(Reason::kInvalidModel,
                   "the ONNX file has sparse weights, which are not supported; export dense ones");
    }
    for (const wire::TensorProto& tensor : graph.initializer()) {
      scope.initializers[tensor.name()] = &tensor;
    }
    return absl::OkStatus();
  }

  // The names that a node reads, in its branches too.
  static void AddInputs(const wire::NodeProto& node, std::set<std::string>& names) {
    names.insert(node.input().begin(), node.input().end());
    for (const wire::AttributeProto& attribute : node.attribute()) {
      if (!attribute.has_g()) continue;
      for (const wire::NodeProto& inner : attribute.g().node()) AddInputs(inner, names);
      for (const wire::ValueInfoProto& output : attribute.g().output()) names.insert(output.name());
    }
  }

  // Those that `outputs` need, in the order of the file.
  template <typename Nodes>
  static std::vector<const wire::NodeProto*> NeededNodes(const Nodes& nodes,
                                                         std::set<std::string> needed) {
    std::vector<const wire::NodeProto*> result;
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
      bool used = false;
      for (const std::string& output : node->output()) {
        used = used || (!output.empty() && needed.count(output) > 0);
      }
      if (!used) continue;
      AddInputs(*node, needed);
      result.push_back(&*node);
    }
    return {result.rbegin(), result.rend()};
  }

  // `opsets` has the versions of the operators: the model or a function.
  template <typename Nodes, typename Opsets>
  absl::Status WalkNodes(const Nodes& nodes, const Opsets& opsets,
                         const std::set<std::string>& outputs, Scope& scope, int depth) {
    if (depth > kDeepest) return Invalid("functions or branches too deep in each other");
    nodes_ += nodes.size();
    if (nodes_ > kMostNodes) {
      return Error(Reason::kInvalidModel,
                   absl::StrCat("the ONNX file has more than ", kMostNodes, " operators"));
    }
    for (const wire::NodeProto* node : NeededNodes(nodes, outputs)) {
      ASSAY_RETURN_IF_ERROR(Visit(*node, opsets, scope, depth));
    }
    return absl::OkStatus();
  }

  template <typename Opsets>
  absl::Status Visit(const wire::NodeProto& proto, const Opsets& opsets, Scope& scope, int depth) {
    const std::string domain = proto.domain() == "ai.onnx" ? "" : proto.domain();
    const int64_t opset = OpsetOf(opsets, domain);
    std::map<std::string, const wire::AttributeProto*> attributes;
    for (const wire::AttributeProto& attribute : proto.attribute()) {
      const wire::AttributeProto* actual = &attribute;
      if (!attribute.ref_attr_name().empty()) {
        const auto found = scope.attributes.find(attribute.ref_attr_name());
        if (found == scope.attributes.end()) continue;  // optional, and not given
        actual = found->second;
      }
      attributes[attribute.name()] = actual;
    }
    std::vector<std::optional<Value>> inputs;
    for (const std::string& name : proto.input()) {
      inputs.emplace_back();
      if (name.empty() || IsAbsent(name, scope)) continue;
      ASSAY_ASSIGN_OR_RETURN(inputs.back(), Find(name, scope, proto.op_type()));
    }
    const auto function = functions_.find({proto.domain(), proto.op_type(), proto.overload()});
    if (function != functions_.end()) {
      return CallFunction(*function->second, proto, inputs, attributes, scope, depth);
    }
    NoteTypes(proto, attributes);
    Node node(proto, opset, std::move(inputs), Attributes(attributes), emitter_);
    if (!domain.empty()) {
      return node.Refuse(absl::StrCat("it is of the domain '", domain,
                                      "', whose operators are not ONNX's own; export the model "
                                      "without optimisations of a runtime or custom operators"));
    }
    // A function may use operators without saying whose they are only if it is broken.
    if (opset < kOldestOpset || opset > kNewestOpset) {
      return node.Refuse(absl::StrCat("of opset ", opset, "; opsets ", kOldestOpset, " to ",
                                      kNewestOpset, " are supported"));
    }
    if (proto.op_type() == "If") return Branch(node, opsets, proto, scope, depth);
    const Implementation implementation = FindOperator(proto.op_type());
    if (implementation == nullptr) return node.Refuse(WhyNot(proto.op_type()));
    const absl::Status status =
        Guarded(Reason::kInvalidModel,
                absl::StrCat("the ONNX operator ", proto.op_type(), " (node '", proto.name(), "')"),
                [&] { return implementation(node); });
    // What is wrong otherwise may follow from it.
    if (!node.attributes().problem().empty()) return node.Refuse(node.attributes().problem());
    result_.mixes_images = result_.mixes_images || node.mixes_images();
    ASSAY_RETURN_IF_ERROR(status);
    const std::string unread = node.attributes().Unread();
    if (!unread.empty()) {
      return node.Refuse(absl::StrCat("its attribute '", unread, "' is not supported"));
    }
    return Keep(proto, node, scope);
  }

  absl::Status Keep(const wire::NodeProto& proto, const Node& node, Scope& scope) {
    for (int i = 0; i < proto.output_size(); ++i) {
      const std::string& name = proto.output(i);
      if (name.empty()) continue;
      const auto& value = node.outputs()[static_cast<size_t>(i)];
      if (scope.values.count(name) > 0 || scope.initializers.count(name) > 0) {
        return Invalid(absl::StrCat("'", name, "' is made twice"));
      }
      if (value.has_value()) {
        scope.values.emplace(name, *value);
      } else {
        scope.missing[name] =
            absl::StrCat("output ", i, " of ", proto.op_type(), " (node '", proto.name(), "')");
      }
    }
    return absl::OkStatus();
  }

  // A cast to float16 rounds in the file and does nothing here.
  void NoteTypes(const wire::NodeProto& proto,
                 const std::map<std::string, const wire::AttributeProto*>& attributes) {
    const auto note = [&](int64_t type) {
      const auto known = static_cast<int32_t>(type & 0xff);
      if (known == type && IsOtherFloat(known)) {
        result_.converted_types.insert(ElementTypeName(known));
      }
    };
    const auto to = attributes.find("to"), value = attributes.find("value");
    if (proto.op_type() == "Cast" && to != attributes.end()) note(to->second->i());
    if (value != attributes.end()) note(value->second->t().data_type());
  }

  static bool IsAbsent(const std::string& name, const Scope& innermost) {
    for (const Scope* scope = &innermost; scope != nullptr; scope = scope->outer) {
      if (scope->absent.count(name) > 0) return true;
      if (scope->values.count(name) > 0) return false;
    }
    return false;
  }

  absl::StatusOr<Value> Find(const std::string& name, const Scope& innermost,
                             absl::string_view reader) {
    for (const Scope* scope = &innermost; scope != nullptr; scope = scope->outer) {
      const auto value = scope->values.find(name);
      if (value != scope->values.end()) return value->second;
      const auto initializer = scope->initializers.find(name);
      if (initializer != scope->initializers.end()) {
        const wire::TensorProto& proto = *initializer->second;
        // Each is converted once, when it is first needed.
        const auto known = constants_.find(&proto);
        if (known != constants_.end()) return known->second;
        ASSAY_ASSIGN_OR_RETURN(const at::Tensor tensor, ToTensor(proto));
        if (IsOtherFloat(proto.data_type())) {
          result_.converted_types.insert(ElementTypeName(proto.data_type()));
        }
        return constants_.emplace(&proto, Known(tensor, name)).first->second;
      }
      const auto missing = scope->missing.find(name);
      if (missing != scope->missing.end()) {
        return Error(Reason::kInvalidModel, absl::StrCat("the ONNX file uses ", missing->second,
                                                         ", which is not supported"))
            .ToStatus();
      }
    }
    return Invalid(absl::StrCat(reader, " reads '", name, "', which nothing before it makes"));
  }

  template <typename Opsets>
  absl::Status Branch(Node& node, const Opsets& opsets, const wire::NodeProto& proto, Scope& scope,
                      int depth) {
    ASSAY_ASSIGN_OR_RETURN(const double condition, node.Number(0, "condition"));
    const wire::GraphProto* const yes = node.attributes().Graph("then_branch");
    const wire::GraphProto* const no = node.attributes().Graph("else_branch");
    if (yes == nullptr || no == nullptr || !node.attributes().problem().empty()) {
      return node.Refuse("it does not have two branches");
    }
    const wire::GraphProto& taken = condition != 0 ? *yes : *no;
    if (taken.output_size() != proto.output_size()) {
      return node.Refuse("its branches have other outputs");
    }
    Scope inner;
    inner.outer = &scope;
    inner.attributes = scope.attributes;
    ASSAY_RETURN_IF_ERROR(AddInitializers(taken, inner));
    std::set<std::string> outputs;
    for (const wire::ValueInfoProto& output : taken.output()) outputs.insert(output.name());
    ASSAY_RETURN_IF_ERROR(WalkNodes(taken.node(), opsets, outputs, inner, depth + 1));
    for (int i = 0; i < taken.output_size(); ++i) {
      ASSAY_RETURN_IF_ERROR(
          node.Output(Find(taken.output(i).name(), inner, "If"), static_cast<size_t>(i)));
    }
    return Keep(proto, node, scope);
  }

  absl::Status CallFunction(const wire::FunctionProto& function, const wire::NodeProto& proto,
                            const std::vector<std::optional<Value>>& inputs,
                            std::map<std::string, const wire::AttributeProto*> attributes,
                            Scope& scope, int depth) {
    // Nothing of the caller is seen but inputs and attributes.
    Scope inner;
    std::set<std::string> known(function.attribute().begin(), function.attribute().end());
    for (const wire::AttributeProto& preset : function.attribute_proto())
      known.insert(preset.name());
    for (const auto& [name, attribute] : attributes) {
      if (known.count(name) == 0) {
        return Invalid(absl::StrCat("it calls the function ", function.name(),
                                    " with the attribute '", name, "', which it does not have"));
      }
    }
    for (const wire::AttributeProto& preset : function.attribute_proto()) {
      attributes.emplace(preset.name(), &preset);
    }
    inner.attributes = std::move(attributes);
    for (int i = 0; i < function.input_size() && i < static_cast<int>(inputs.size()); ++i) {
      const auto& input = inputs[static_cast<size_t>(i)];
      if (input.has_value()) inner.values.emplace(function.input(i), *input);
    }
    if (static_cast<int>(inputs.size()) > function.input_size() ||
        proto.output_size() > function.output_size()) {
      return Invalid(absl::StrCat("it calls the function ", function.name(),
                                  " with other inputs and outputs than it has"));
    }
    for (const std::string& input : function.input()) {
      if (inner.values.count(input) == 0) inner.absent.insert(input);
    }
    std::set<std::string> outputs;
    for (int i = 0; i < proto.output_size(); ++i) {
      if (!proto.output(i).empty()) outputs.insert(function.output(i));
    }
    ASSAY_RETURN_IF_ERROR(WalkNodes(function.node(), function, outputs, inner, depth + 1));
    for (int i = 0; i < proto.output_size(); ++i) {
      if (proto.output(i).empty()) continue;
      ASSAY_ASSIGN_OR_RETURN(Value value, Find(function.output(i), inner, function.name()));
      if (!scope.values.emplace(proto.output(i), std::move(value)).second) {
        return Invalid(absl::StrCat("'", proto.output(i), "' is made twice"));
      }
    }
    return absl::OkStatus();
  }

  using FunctionKey = std::tuple<std::string, std::string, std::string>;

  const wire::ModelProto& model_;
  Emitter& emitter_;
  GraphResult& result_;
  std::map<FunctionKey, const wire::FunctionProto*> functions_;
  std::map<const wire::TensorProto*, Value> constants_;
  int nodes_ = 0;
};

}  // namespace

GraphResult ImportGraph(const wire::ModelProto& model, const std::string& input,
                        const Value& images, const std::string& output, Emitter& emitter) {
  GraphResult result{absl::UnknownError("not imported"), false, {}};
  result.output = Walk(model, emitter, result).Run(input, images, output);
  return result;
}

}  // namespace assay::engine::onnx
