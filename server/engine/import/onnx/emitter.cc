#include "server/engine/import/onnx/emitter.h"

#include <torch/csrc/jit/runtime/interpreter.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "server/engine/import/onnx/tensor.h"

namespace assay::engine::onnx {
namespace {

namespace jit = torch::jit;

// A small file may ask for large constants (ConstantOfShape, Expand, Tile), one after the other.
constexpr int64_t kMostFoldedBytes = int64_t{4} << 30;

}  // namespace

Emitter::Emitter(int64_t batch, int64_t channels, int64_t height, int64_t width) : batch_(batch) {
  images_.sizes = {free() ? 1 : batch, channels, height, width};
  images_.batch_axis = free() ? 0 : kNone;
  images_.node = builder_.images();
  // Another number of images fails here, instead of being taken for parts of one.
  if (!free()) {
    images_.node =
        builder_.Call("aten::view", {images_.node, jit::NamedValue(c10::IValue(images_.sizes))});
  }
}

absl::Status Emitter::CheckSizes(const Sizes& sizes) {
  if (sizes.size() > 32) return Error(Reason::kInvalidModel, "makes a tensor of more than 32 axes");
  int64_t count = 1;
  for (const int64_t size : sizes) {
    if (size < 0) return Error(Reason::kInvalidModel, "makes a tensor of a negative size");
    if (size > kMostElements || (size > 0 && count > kMostElements / size)) {
      return Error(Reason::kInvalidModel,
                   absl::StrCat("makes a tensor of more than ", kMostElements, " elements"));
    }
    count *= size;
  }
  return absl::OkStatus();
}

int64_t Emitter::Count(const Sizes& sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  return count;
}

absl::StatusOr<Value> Emitter::Call(const std::string& aten, const std::vector<Operand>& arguments,
                                    const Form& form,
                                    const std::vector<std::pair<std::string, Operand>>& named) {
  ASSAY_RETURN_IF_ERROR(CheckSizes(form.sizes));
  bool constant = true;
  for (const Operand& argument : arguments) {
    for (const Value& value : argument.values) constant = constant && value.constant();
  }
  if (constant) {
    folded_bytes_ += Count(form.sizes) * static_cast<int64_t>(c10::elementSize(form.type));
    if (folded_bytes_ > kMostFoldedBytes) {
      return Error(Reason::kInvalidModel, "needs more than 4 GiB of constants").ToStatus();
    }
    ASSAY_ASSIGN_OR_RETURN(const at::Tensor tensor, Fold(aten, arguments, named));
    // What is inferred of values that depend on the image is inferred of constants too, and seen to
    // be right.
    if (tensor.sizes() != at::IntArrayRef(form.sizes) || tensor.scalar_type() != form.type) {
      return Error(Reason::kInternal, absl::StrCat(aten, " gave ", tensor.toString(), " [",
                                                   absl::StrJoin(tensor.sizes().vec(), ", "),
                                                   "] instead of ", c10::toString(form.type), " [",
                                                   absl::StrJoin(form.sizes, ", "), "]"))
          .ToStatus();
    }
    return Known(tensor.contiguous());
  }
  if (Count(form.sizes) == 0) {
    return Error(Reason::kInvalidModel, "makes an empty tensor of the image").ToStatus();
  }
  std::vector<jit::NamedValue> positional, keyword;
  for (const Operand& argument : arguments) positional.push_back(ToNamed(argument));
  for (const auto& [name, argument] : named) {
    const jit::NamedValue value = ToNamed(argument);
    keyword.emplace_back(name, value.value(builder_.graph()));
  }
  Value result;
  static_cast<Form&>(result) = form;
  result.node = builder_.Call(aten, positional, keyword);
  return result;
}

jit::Value* Emitter::NodeOf(const Value& value) {
  if (!value.constant()) return value.node;
  Held& held = held_[value.known.unsafeGetTensorImpl()];
  if (held.node == nullptr) {
    held.tensor = value.known;
    held.node = builder_.Tensor(value.name.empty() ? "constant" : value.name, value.known);
  }
  return held.node;
}

jit::NamedValue Emitter::ToNamed(const Operand& operand) {
  switch (operand.kind) {
    case Operand::Kind::kTensor:
      return jit::NamedValue(NodeOf(operand.values[0]));
    case Operand::Kind::kTensors: {
      std::vector<jit::Value*> nodes;
      for (const Value& value : operand.values) nodes.push_back(NodeOf(value));
      return jit::NamedValue(
          builder_.Insert(builder_.graph().createList(c10::TensorType::get(), nodes)));
    }
    case Operand::Kind::kLiteral:
      break;
  }
  return jit::NamedValue(operand.literal);
}

// A graph of this one operator, run once: its overload and arguments are found as in the module.
absl::StatusOr<at::Tensor> Emitter::Fold(
    const std::string& aten, const std::vector<Operand>& arguments,
    const std::vector<std::pair<std::string, Operand>>& named) {
  const auto graph = std::make_shared<jit::Graph>();
  jit::Stack stack;
  const auto to_named = [&](const Operand& operand) {
    if (operand.kind == Operand::Kind::kLiteral) return jit::NamedValue(operand.literal);
    std::vector<jit::Value*> nodes;
    for (const Value& value : operand.values) {
      nodes.push_back(graph->addInput());
      nodes.back()->setType(c10::TensorType::get());
      stack.emplace_back(value.known);
    }
    if (operand.kind == Operand::Kind::kTensor) return jit::NamedValue(nodes[0]);
    return jit::NamedValue(
        graph->insertNode(graph->createList(c10::TensorType::get(), nodes))->output());
  };
  std::vector<jit::NamedValue> positional, keyword;
  for (const Operand& argument : arguments) positional.push_back(to_named(argument));
  for (const auto& [name, argument] : named) {
    keyword.emplace_back(name, to_named(argument).value(*graph));
  }
  graph->registerOutput(graph->insert(c10::Symbol::fromQualString(aten), positional, keyword));
  const at::NoGradGuard no_gradients;
  jit::InterpreterState(jit::Code(graph, "import")).run(stack);
  if (stack.size() != 1 || !stack[0].isTensor()) {
    return Error(Reason::kInternal, absl::StrCat(aten, " gave no tensor")).ToStatus();
  }
  return stack[0].toTensor();
}

Value Emitter::Repeated(const Value& constant, int64_t axis) {
  jit::Graph& graph = builder_.graph();
  if (count_ == nullptr) {
    count_ = builder_.Call("aten::size", {builder_.images(), jit::NamedValue(c10::IValue(0))});
  }
  std::vector<jit::Value*> sizes;
  for (int64_t i = 0; i < constant.rank(); ++i) {
    sizes.push_back(i == axis ? count_ : builder_.Constant(constant.size(i)));
  }
  jit::Value* const list = graph.insertNode(graph.createList(c10::IntType::get(), sizes))->output();
  Value result;
  result.sizes = constant.sizes;
  result.type = constant.type;
  result.batch_axis = axis;
  result.node = builder_.Call("aten::expand", {NodeOf(constant), list});
  return result;
}

void Emitter::NotePermutation(const Value& value, Permutation permutation) {
  if (!value.constant()) permutations_.emplace(value.node, std::move(permutation));
}

const Emitter::Permutation* Emitter::PermutationOf(const Value& value) const {
  if (value.constant()) return nullptr;
  const auto found = permutations_.find(value.node);
  return found == permutations_.end() ? nullptr : &found->second;
}

jit::Module Emitter::Build(const Value& logits) && {
  return std::move(builder_).Build(NodeOf(logits));
}

}  // namespace assay::engine::onnx
