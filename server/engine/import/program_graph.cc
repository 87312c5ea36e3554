#include "server/engine/import/program_graph.h"

#include <torch/csrc/jit/ir/ir.h>

#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "server/engine/import/base/module_builder.h"
#include "server/engine/import/program_signature.h"
#include "server/engine/import/program_steps.h"
#include "server/engine/import/program_values.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;
using c10::IValue;
using c10::TypeKind;

// Containers in the output.
constexpr int kMaxDepth = 8;

absl::Status Invalid(absl::string_view what) { return Error(Reason::kInvalidModel, what); }

// An operator that programs have, and the one that serves better: for one of the functional form
// that decompositions leave the one that it is a part of, which the engine knows more of; for
// view(), reshape(), because the memory formats of this LibTorch, and of the images that the engine
// gives, are not those that the program saw. The same arguments, but those named. Only where
// nothing reads more than the first result, or changes it in place.
struct Better {
  const char* target;
  const char* better;
  std::map<std::string, std::string> renamed;  // arguments; to "": left out
  std::vector<std::pair<std::string, Json>> added;
};

const std::vector<Better>& BetterForms() {
  static const auto* const forms = new std::vector<Better>{
      {"torch.ops.aten._native_batch_norm_legit_no_training.default",
       "torch.ops.aten.batch_norm.default",
       {},
       {{"training", {{"as_bool", false}}}, {"cudnn_enabled", {{"as_bool", false}}}}},
      {"torch.ops.aten.native_layer_norm.default", "torch.ops.aten.layer_norm.default", {}, {}},
      {"torch.ops.aten.native_group_norm.default",
       "torch.ops.aten.group_norm.default",
       {{"N", ""}, {"C", ""}, {"HxW", ""}, {"group", "num_groups"}},
       {}},
      {"torch.ops.aten.max_pool2d_with_indices.default",
       "torch.ops.aten.max_pool2d.default",
       {},
       {}},
      {"torch.ops.aten.view.default", "torch.ops.aten.reshape.default", {{"size", "shape"}}, {}},
      {"torch.ops.aten._unsafe_view.default",
       "torch.ops.aten.reshape.default",
       {{"size", "shape"}},
       {}},
      {"torch.ops.aten._adaptive_avg_pool2d.default",
       "torch.ops.aten.adaptive_avg_pool2d.default",
       {},
       {}}};
  return *forms;
}

class GraphReader {
 public:
  explicit GraphReader(const ProgramArchive& archive) : archive_(archive) {}

  absl::StatusOr<jit::Module> Read() {
    ASSAY_ASSIGN_OR_RETURN(const Json* const module, ObjectIn(archive_.program, "graph_module"));
    ASSAY_ASSIGN_OR_RETURN(const Json* const graph, ObjectIn(*module, "graph"));
    ASSAY_ASSIGN_OR_RETURN(signature_, ReadProgramSignature(archive_));
    ASSAY_ASSIGN_OR_RETURN(ProgramSteps steps, ProgramSteps::Read(*graph));
    std::map<std::string, std::string> state_names;
    for (const auto& [value, held] : signature_.state) state_names[value] = held.name;
    std::set<std::string> outputs;
    for (const std::string& name : signature_.outputs) {
      if (!name.empty()) outputs.insert(name);
    }
    ASSAY_RETURN_IF_ERROR(steps.KeepNeeded(outputs, state_names, signature_.changed));
    needed_ = &steps.needed();
    ASSAY_RETURN_IF_ERROR(values_.Define(signature_.images, builder_.images()));
    for (const ProgramStep& step : steps.steps()) ASSAY_RETURN_IF_ERROR(Emit(step));
    ASSAY_ASSIGN_OR_RETURN(jit::Value* const result, Output(*module));
    return std::move(builder_).Build(result);
  }

 private:
  // --- steps

  absl::Status Emit(const ProgramStep& step) {
    if (step.target == "same") {
      ASSAY_ASSIGN_OR_RETURN(jit::Value* const value, values_.Find(step.reads.at(0)));
      return values_.Define(step.outputs.at(0).names.at(0), value);
    }
    if (step.target == "detach" || step.target == "torch.ops.aten.detach.default") {
      return EmitDetach(step);
    }
    if (absl::StartsWith(step.target, "_operator.") || absl::StartsWith(step.target, "math.") ||
        absl::StartsWith(step.target, "torch.sym_")) {
      return EmitSymbolic(step);
    }
    for (const Better& form : BetterForms()) {
      if (step.target == form.target && OnlyFirstIsRead(step) && !step.changed_in_place) {
        return EmitBetter(step, form);
      }
    }
    // Other than in PyTorch 2, the size of a tensor has no symbolic form.
    if (step.target == "torch.ops.aten.sym_size.int") {
      return EmitAs(step, "torch.ops.aten.size.int", step.arguments);
    }
    if (step.target == "torch.ops.aten.sym_numel.default") {
      return EmitAs(step, "torch.ops.aten.numel.default", step.arguments);
    }
    if (IsSoftmax(step)) return EmitSoftmax(step);
    return EmitAs(step, step.target, step.arguments);
  }

  absl::Status EmitDetach(const ProgramStep& step) {
    if (step.changed_in_place) {
      return Invalid(
          "the exported program changes in place what it computed without gradients (detach(), or "
          "torch.no_grad()), which is not supported; export it without changes in place");
    }
    ASSAY_ASSIGN_OR_RETURN(jit::Value* const value, values_.Find(step.reads.at(0)));
    const bool tensor = value->type()->kind() == TypeKind::TensorType;
    return values_.Define(step.outputs.at(0).names.at(0),
                          tensor ? builder_.Call("aten::detach", {value}) : value);
  }

  bool OnlyFirstIsRead(const ProgramStep& step) const {
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      if (step.outputs[i].list) return false;
      for (const std::string& name : step.outputs[i].names) {
        if (i > 0 && needed_->count(name) > 0) return false;
      }
    }
    return true;
  }

  absl::Status EmitBetter(const ProgramStep& step, const Better& form) {
    std::vector<std::pair<std::string, const Json*>> arguments;
    for (const auto& [name, argument] : step.arguments) {
      const auto renamed = form.renamed.find(name);
      if (renamed != form.renamed.end() && renamed->second.empty()) continue;
      arguments.emplace_back(renamed == form.renamed.end() ? name : renamed->second, argument);
    }
    for (const auto& [name, argument] : form.added) arguments.emplace_back(name, &argument);
    return EmitAs(step, form.better, arguments);
  }

  // _softmax(self, dim, half_to_float) and the same of log_softmax.
  static bool IsSoftmax(const ProgramStep& step) {
    if (step.target != "torch.ops.aten._softmax.default" &&
        step.target != "torch.ops.aten._log_softmax.default") {
      return false;
    }
    return step.arguments.size() == 3 && step.arguments[2].first == "half_to_float" &&
           *step.arguments[2].second == Json{{"as_bool", false}};
  }

  absl::Status EmitSoftmax(const ProgramStep& step) {
    const bool log = absl::StrContains(step.target, "log");
    return EmitAs(step, log ? "torch.ops.aten.log_softmax.int" : "torch.ops.aten.softmax.int",
                  {step.arguments[0], step.arguments[1]});
  }

  // Arithmetic with symbolic sizes.
  absl::Status EmitSymbolic(const ProgramStep& step) {
    static const auto* const names = new std::map<std::string, std::string>{
        {"_operator.add", "aten::add"},       {"_operator.sub", "aten::sub"},
        {"_operator.mul", "aten::mul"},       {"_operator.floordiv", "aten::floordiv"},
        {"_operator.mod", "aten::remainder"}, {"_operator.neg", "aten::neg"},
        {"_operator.truediv", "aten::div"},   {"torch.sym_max", "prim::max"},
        {"torch.sym_min", "prim::min"},       {"torch.sym_float", "aten::Float"},
        {"torch.sym_int", "aten::Int"},       {"math.trunc", "aten::Int"},
        {"math.floor", "aten::floor"},        {"math.ceil", "aten::ceil"}};
    const auto found = names->find(step.target);
    if (found == names->end()) {
      return Invalid(absl::StrCat("the exported program computes a size by ", step.target,
                                  ", which is not supported; ", wrote_));
    }
    std::vector<jit::NamedValue> arguments;
    for (const auto& [name, argument] : step.arguments) {
      ASSAY_ASSIGN_OR_RETURN(const auto kind, Alternative(*argument));
      if (kind.first == "as_int") {
        ASSAY_ASSIGN_OR_RETURN(jit::Value* const value, values_.Int(*kind.second));
        arguments.emplace_back(value);
      } else if (kind.first == "as_float") {
        ASSAY_ASSIGN_OR_RETURN(jit::Value* const value, values_.Float(*kind.second));
        arguments.emplace_back(value);
      } else if (kind.first == "as_sym_int" || kind.first == "as_sym_float") {
        ASSAY_ASSIGN_OR_RETURN(jit::Value* const value,
                               values_.SymbolicInt(*kind.second, *step.scope));
        arguments.emplace_back(value);
      } else {
        return Invalid(absl::StrCat("the exported program computes a size from ", kind.first,
                                    ", which is not supported; ", wrote_));
      }
    }
    if (step.outputs.size() != 1 || step.outputs[0].names.size() != 1) {
      return Invalid("a computed size of the exported program has no name");
    }
    return values_.Define(step.outputs[0].names[0], builder_.Call(found->second, arguments));
  }

  using Arguments = std::vector<std::pair<std::string, const Json*>>;

  // The operator `target` for `step`, with the arguments `given`.
  absl::Status EmitAs(const ProgramStep& step, const std::string& target, const Arguments& given) {
    std::optional<c10::FunctionSchema> schema = FindOperator(target);
    if (!schema.has_value()) return MissingOperator(target);
    const std::string& name = schema->name();
    if (schema->argumentIndexWithName("filename").has_value()) {
      return Invalid(absl::StrCat("the exported program calls ", name,
                                  ", which opens files; a model must not"));
    }
    ASSAY_ASSIGN_OR_RETURN(const Arguments arguments, WithoutNumbers(step, given, &schema));
    std::map<std::string, const Json*> by_name;
    for (const auto& [argument, value] : arguments) {
      if (!schema->argumentIndexWithName(argument).has_value()) {
        return Invalid(absl::StrCat("the exported program gives ", name, " an argument ", argument,
                                    ", which ", ThisLibTorch(), " does not know; ", wrote_,
                                    ". Use a server with a LibTorch as new as that PyTorch"));
      }
      if (!by_name.emplace(argument, value).second) {
        return Invalid(
            absl::StrCat("the exported program gives argument ", argument, " of ", name, " twice"));
      }
    }
    std::vector<jit::Value*> inputs;
    for (const c10::Argument& formal : schema->arguments()) {
      const auto found = by_name.find(formal.name());
      if (found != by_name.end()) {
        ASSAY_ASSIGN_OR_RETURN(inputs.emplace_back(),
                               values_.Argument(name, formal, *found->second, *step.scope));
      } else if (formal.default_value().has_value()) {
        inputs.push_back(builder_.Constant(*formal.default_value()));
      } else {
        return Invalid(absl::StrCat("the exported program calls ", name, " without its argument ",
                                    formal.name(), ", which ", ThisLibTorch(), " needs; ", wrote_));
      }
    }
    jit::Node* const node = builder_.graph().create(c10::Symbol::fromQualString(name), inputs,
                                                    schema->returns().size());
    for (size_t i = 0; i < schema->returns().size(); ++i) {
      node->output(i)->setType(schema->returns()[i].type());
    }
    builder_.graph().insertNode(node);
    // The node finds its operator by name and types.
    const c10::FunctionSchema* const chosen = node->maybeSchema();
    if (chosen == nullptr || absl::StripSuffix(chosen->overload_name(), "_newer") !=
                                 absl::StripSuffix(schema->overload_name(), "_newer")) {
      return Invalid(absl::StrCat("the arguments of ", target,
                                  " in the exported program do not suit ", ThisLibTorch(), "; ",
                                  wrote_));
    }
    if (node->hasSideEffects()) {
      return Invalid(absl::StrCat("the exported program calls ", name, ", which a model must not"));
    }
    return DefineOutputs(step, *node);
  }

  absl::Status MissingOperator(const std::string& target) const {
    absl::string_view name = target;
    if (absl::ConsumePrefix(&name, "torch.ops.higher_order.")) {
      return Invalid(absl::StrCat("the exported program uses the higher-order operator ", name,
                                  " (control flow, or a region of its own), which is not "
                                  "supported; export the model without it, or as TorchScript"));
    }
    if (absl::ConsumePrefix(&name, "torch.ops.aten.")) {
      // "add.Tensor", "linear.default"
      const std::string op = absl::StrCat("aten::", absl::StripSuffix(name, ".default"));
      return Invalid(absl::StrCat(
          "the exported program calls ", op, ", which ", ThisLibTorch(), " does not have; ", wrote_,
          ". Use a server with a LibTorch as new as that PyTorch, or export "
          "the model without ",
          op));
    }
    return Invalid(absl::StrCat("the exported program calls ", name.substr(0, 100),
                                ", which is not an operator of PyTorch's ATen; export the model "
                                "without it, or after run_decompositions()"));
  }

  // In programs a number may stand for a tensor: x * 2 is aten.mul.Tensor(x, 2). It becomes the
  // overload for numbers where there is one, and else a tensor of the type that the result of the
  // operator is computed in.
  absl::StatusOr<Arguments> WithoutNumbers(const ProgramStep& step, const Arguments& given,
                                           std::optional<c10::FunctionSchema>* schema) {
    Arguments arguments = given;
    std::vector<size_t> numbers;
    std::vector<std::string> tensors;
    for (size_t i = 0; i < arguments.size(); ++i) {
      const auto index = (*schema)->argumentIndexWithName(arguments[i].first);
      if (!index.has_value()) continue;
      const c10::Argument& formal = (*schema)->arguments()[static_cast<size_t>(*index)];
      if (formal.type()->kind() != TypeKind::TensorType) continue;
      ASSAY_ASSIGN_OR_RETURN(const auto kind, Alternative(*arguments[i].second));
      if (kind.first == "as_tensor") {
        const Json& value = *kind.second;
        if (const Json* const name = Member(value, "name"); name != nullptr && name->is_string()) {
          tensors.push_back(name->get<std::string>());
        }
      } else if (kind.first == "as_int" || kind.first == "as_float" || kind.first == "as_bool") {
        numbers.push_back(i);
      }
    }
    if (numbers.empty()) return arguments;
    const size_t number = numbers.front();
    std::string overload = (*schema)->overload_name();
    if (numbers.size() == 1 && arguments[number].first == "other" &&
        absl::StrContains(overload, "Tensor")) {
      overload.replace(overload.find("Tensor"), 6, "Scalar");
      if (const auto scalar = jit::findOperatorFor({(*schema)->name(), overload})) {
        *schema = scalar->schema();
        return arguments;
      }
    }
    if (numbers.size() != 1 || tensors.size() != 1) {
      return Invalid(absl::StrCat("the exported program gives ", (*schema)->name(),
                                  " numbers for tensors, whose type is not known; ", wrote_));
    }
    ASSAY_ASSIGN_OR_RETURN(const at::Tensor constant,
                           NumberLike(*arguments[number].second, tensors.front(), *step.scope));
    const std::string name = absl::StrCat("number ", ++numbers_);
    Json& argument = made_arguments_.emplace_back(Json{{"as_tensor", {{"name", name}}}});
    ASSAY_RETURN_IF_ERROR(values_.Define(step.scope->Global(name), builder_.Constant(constant)));
    arguments[number].second = &argument;
    return arguments;
  }

  // A number as a tensor without dimensions, of the type that it has beside the tensor `beside`.
  absl::StatusOr<at::Tensor> NumberLike(const Json& argument, const std::string& beside,
                                        const ProgramScope& scope) {
    const Json* const metas = Member(*scope.graph, "tensor_values");
    const Json* meta = metas == nullptr ? nullptr : Member(*metas, beside.c_str());
    if (meta != nullptr && Member(*meta, "meta") != nullptr) meta = Member(*meta, "meta");
    if (meta == nullptr) return Invalid(absl::StrCat("the type of ", beside, " is not known"));
    ASSAY_ASSIGN_OR_RETURN(c10::ScalarType type, SchemaScalarType(meta->value("dtype", Json())));
    if (type == c10::kHalf || type == c10::kBFloat16) {
      return Invalid(
          "the exported program gives numbers for tensors of 16-bit floats, whose "
          "rounding differs; export it in float32");
    }
    ASSAY_ASSIGN_OR_RETURN(const auto kind, Alternative(argument));
    c10::Scalar number;
    if (kind.first == "as_bool") {
      if (!kind.second->is_boolean()) return Invalid("a boolean of the exported program is none");
      number = kind.second->get<bool>();
    } else if (kind.first == "as_int") {
      ASSAY_ASSIGN_OR_RETURN(const int64_t value, ToInt(*kind.second));
      number = value;
      if (type == c10::kBool) type = c10::kLong;
    } else {
      ASSAY_ASSIGN_OR_RETURN(const double value, ToDouble(*kind.second));
      number = value;
      if (!c10::isFloatingType(type)) type = c10::kFloat;
    }
    return at::full({}, number, type);
  }

  absl::Status DefineOutputs(const ProgramStep& step, jit::Node& node) {
    if (step.outputs.size() > node.outputs().size()) {
      return step.outputs.size() > 1 && OnlyFirstIsRead(step)
                 ? values_.Define(step.outputs[0].names.at(0), node.output(0))
                 : Invalid(absl::StrCat(step.target,
                                        " returns more values in the exported program "
                                        "than ",
                                        ThisLibTorch(), " gives; ", wrote_));
    }
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      const ProgramStep::Output& output = step.outputs[i];
      const bool list = node.output(i)->type()->kind() == TypeKind::ListType;
      if (output.names.empty() && !output.list) continue;
      if (list != output.list) {
        return Invalid(absl::StrCat(step.target,
                                    " returns something else in the exported program "
                                    "than ",
                                    ThisLibTorch(), " gives; ", wrote_));
      }
      if (!list) {
        ASSAY_RETURN_IF_ERROR(values_.Define(output.names[0], node.output(i)));
        continue;
      }
      jit::Node* const unpack =
          builder_.graph().createListUnpack(node.output(i), output.names.size());
      builder_.graph().insertNode(unpack);
      for (size_t k = 0; k < output.names.size(); ++k) {
        ASSAY_RETURN_IF_ERROR(values_.Define(output.names[k], unpack->output(k)));
      }
    }
    return absl::OkStatus();
  }

  // --- the output

  // As the model returned it: a tensor, or a tuple or dict of them.
  absl::StatusOr<jit::Value*> Output(const Json& module) {
    std::string text;
    if (const Json* const calls = Member(module, "module_call_graph");
        calls != nullptr && calls->is_array() && !calls->empty()) {
      if (const Json* const signature = Member(calls->front(), "signature")) {
        ASSAY_ASSIGN_OR_RETURN(text, StringIn(*signature, "out_spec"));
      }
    } else if (const Json* const call = Member(module, "call_spec")) {  // PyTorch 2.1
      ASSAY_ASSIGN_OR_RETURN(text, StringIn(*call, "out_spec"));
    }
    size_t used = 0;
    jit::Value* result = nullptr;
    if (text.empty()) {
      if (signature_.outputs.size() != 1)
        return Invalid("the exported program does not tell what it returns");
      ASSAY_ASSIGN_OR_RETURN(result, Leaf(&used));
    } else {
      ASSAY_ASSIGN_OR_RETURN(const Json spec, ParseJson("out_spec", std::move(text)));
      // [version of the specification, the root]
      if (!spec.is_array() || spec.size() != 2) {
        return Invalid("what the exported program returns is malformed");
      }
      ASSAY_ASSIGN_OR_RETURN(result, Tree(spec[1], 0, &used));
    }
    if (used != signature_.outputs.size()) {
      return Invalid("the exported program returns another number of values than it tells");
    }
    return result;
  }

  absl::StatusOr<jit::Value*> Leaf(size_t* used) {
    if (*used >= signature_.outputs.size()) {
      return Invalid("the exported program returns fewer values than it tells");
    }
    const std::string& name = signature_.outputs[(*used)++];
    if (name.empty()) return builder_.Constant(IValue());
    return values_.Find(name);
  }

  absl::StatusOr<jit::Value*> Tree(const Json& spec, int depth, size_t* used) {
    if (depth > kMaxDepth) return Invalid("what the exported program returns is nested too deeply");
    if (!spec.is_object() || !spec.contains("type")) {
      return Invalid("what the exported program returns is malformed");
    }
    // The type of a leaf is null.
    if (Member(spec, "type") == nullptr) return Leaf(used);
    ASSAY_ASSIGN_OR_RETURN(const Json* const children, ArrayIn(spec, "children_spec"));
    std::vector<jit::Value*> values;
    for (const Json& child : *children) {
      ASSAY_ASSIGN_OR_RETURN(values.emplace_back(), Tree(child, depth + 1, used));
    }
    const std::vector<std::string> keys = KeysOf(spec);
    if (keys.empty() || keys.size() != values.size()) {
      return builder_.Insert(builder_.graph().createTuple(values));
    }
    std::vector<jit::Value*> names;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (values[i]->type()->kind() != TypeKind::TensorType) {
        return Invalid(absl::StrCat("what the exported program returns as ", keys[i],
                                    " is not a tensor; let the model return its logits only"));
      }
      names.push_back(builder_.Constant(keys[i]));
    }
    return builder_.Insert(
        builder_.graph().createDict(c10::StringType::get(), c10::TensorType::get(), names, values));
  }

  // The names of the values of a dict, or of a class of outputs such as those of Hugging Face, by
  // the context of a container; empty for tuples and lists.
  static std::vector<std::string> KeysOf(const Json& spec) {
    std::vector<std::string> keys;
    const Json* const context = Member(spec, "context");
    if (context == nullptr || !context->is_string()) return keys;
    const auto names = ParseJson("context", context->get<std::string>());
    if (!names.ok() || !names->is_array()) return keys;
    for (const Json& name : *names) {
      if (!name.is_string()) return {};
      keys.push_back(name.get<std::string>());
    }
    return keys;
  }

  const ProgramArchive& archive_;
  const std::string wrote_ = absl::StrCat(archive_.writer, " wrote it");
  ModuleBuilder builder_;
  ProgramSignature signature_;
  const std::set<std::string>* needed_ = nullptr;
  ProgramValues values_{signature_, wrote_, builder_};
  std::list<Json> made_arguments_;
  int numbers_ = 0;
};

}  // namespace

absl::StatusOr<jit::Module> BuildProgramGraph(const ProgramArchive& archive) {
  return GraphReader(archive).Read();
}

}  // namespace assay::engine
