// Activations and softmax.
#include <ATen/ATen.h>

#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/onnx/operators.h"

namespace assay::engine::onnx {
namespace {

absl::StatusOr<Value> Activations(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(Value x, node.Input(0));
  if (!x.floating_point()) return node.Refuse("of other types than floating point");
  return x;
}

// `aten` of one tensor, with `rest` as its further arguments.
absl::Status Activate(Node& node, const char* aten, std::vector<Operand> rest = {}) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  rest.insert(rest.begin(), x);
  return node.Output(node.Same(aten, rest));
}

absl::Status Relu(Node& node) { return Activate(node, "aten::relu"); }
absl::Status Sigmoid(Node& node) { return Activate(node, "aten::sigmoid"); }
absl::Status Tanh(Node& node) { return Activate(node, "aten::tanh"); }
// LibTorch's is linear above 20, where the two differ by less than 3e-9.
absl::Status Softplus(Node& node) { return Activate(node, "aten::softplus"); }
absl::Status HardSwish(Node& node) { return Activate(node, "aten::hardswish"); }
absl::Status Mish(Node& node) { return Activate(node, "aten::mish"); }

absl::Status LeakyRelu(Node& node) {
  return Activate(node, "aten::leaky_relu", {double{node.attributes().Float("alpha", 0.01f)}});
}
absl::Status ThresholdedRelu(Node& node) {
  return Activate(node, "aten::threshold", {double{node.attributes().Float("alpha", 1)}, 0.0});
}
absl::Status Elu(Node& node) {
  return Activate(node, "aten::elu", {double{node.attributes().Float("alpha", 1)}});
}
absl::Status Selu(Node& node) {
  const float alpha = node.attributes().Float("alpha", 1.67326319217681884765625f);
  const float gamma = node.attributes().Float("gamma", 1.05070102214813232421875f);
  return Activate(node, "aten::elu", {double{alpha}, double{gamma}});
}
absl::Status Celu(Node& node) {
  const float alpha = node.attributes().Float("alpha", 1);
  if (alpha == 0) return node.Refuse("with alpha 0");
  return Activate(node, "aten::celu", {double{alpha}});
}

absl::Status HardSigmoid(Node& node) {
  const double alpha = node.attributes().Float("alpha", 0.2f);
  const double beta = node.attributes().Float("beta", 0.5f);
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  ASSAY_ASSIGN_OR_RETURN(const Value scaled, node.Same("aten::mul", {x, alpha}));
  ASSAY_ASSIGN_OR_RETURN(const Value shifted, node.Same("aten::add", {scaled, beta}));
  return node.Output(node.Same("aten::clamp", {shifted, 0.0, 1.0}));
}

absl::Status Softsign(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  ASSAY_ASSIGN_OR_RETURN(const Value size, node.Same("aten::abs", {x}));
  ASSAY_ASSIGN_OR_RETURN(const Value divisor, node.Same("aten::add", {size, 1.0}));
  return node.Output(node.Binary("aten::div", x, divisor));
}

absl::StatusOr<Value> SwishOf(Node& node, const Value& x) {
  const double alpha = node.attributes().Float("alpha", 1);
  if (alpha == 1) return node.Same("aten::silu", {x});
  ASSAY_ASSIGN_OR_RETURN(const Value scaled, node.Same("aten::mul", {x, alpha}));
  ASSAY_ASSIGN_OR_RETURN(const Value gate, node.Same("aten::sigmoid", {scaled}));
  return node.Binary("aten::mul", x, gate);
}

absl::Status Swish(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  return node.Output(SwishOf(node, x));
}

absl::Status SwiGlu(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value gate, Activations(node));
  ASSAY_ASSIGN_OR_RETURN(const Value linear, node.Input(1));
  if (gate.sizes != linear.sizes) return node.Refuse("of tensors with different shapes");
  ASSAY_ASSIGN_OR_RETURN(const Value swish, SwishOf(node, gate));
  return node.Output(node.Binary("aten::mul", swish, linear));
}

absl::Status Gelu(Node& node) {
  const std::string approximate = node.attributes().Text("approximate", "none");
  if (approximate != "none" && approximate != "tanh") {
    return node.Refuse(absl::StrCat("with the approximation '", approximate, "'"));
  }
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  return node.Output(
      node.Call("aten::gelu", {x}, x.form(), {{"approximate", c10::IValue(approximate)}}));
}

// x where it is positive, else slope x.
absl::Status PRelu(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  ASSAY_ASSIGN_OR_RETURN(const Value slope, node.Input(1));
  if (!slope.floating_point()) return node.Refuse("of other types than floating point");
  ASSAY_ASSIGN_OR_RETURN(const Form form, node.Broadcast({x, slope}, x.type));
  if (form.sizes != x.sizes) return node.Refuse("with more slopes than numbers");
  ASSAY_ASSIGN_OR_RETURN(const Value negative, node.Binary("aten::mul", x, slope));
  Form condition = form;
  condition.type = at::kBool;
  ASSAY_ASSIGN_OR_RETURN(const Value positive, node.Call("aten::gt", {x, 0.0}, condition));
  return node.Output(node.Call("aten::where", {positive, x, negative}, form));
}

// x + bias below -lambd, x - bias above lambd, 0 between.
absl::Status Shrink(Node& node) {
  const double bias = node.attributes().Float("bias", 0);
  const double lambd = node.attributes().Float("lambd", 0.5f);
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  Form condition = x.form();
  condition.type = at::kBool;
  ASSAY_ASSIGN_OR_RETURN(const Value above, node.Call("aten::gt", {x, lambd}, condition));
  ASSAY_ASSIGN_OR_RETURN(const Value below, node.Call("aten::lt", {x, -lambd}, condition));
  ASSAY_ASSIGN_OR_RETURN(const Value less, node.Same("aten::sub", {x, bias}));
  ASSAY_ASSIGN_OR_RETURN(const Value more, node.Same("aten::add", {x, bias}));
  const Value zero = Known(at::zeros({}));
  ASSAY_ASSIGN_OR_RETURN(const Value low, node.Call("aten::where", {below, more, zero}, x.form()));
  return node.Output(node.Call("aten::where", {above, less, low}, x.form()));
}

absl::Status Clip(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  std::optional<double> limits[2];
  const char* const names[] = {"min", "max"};
  for (size_t i = 0; i < 2; ++i) {
    if (node.opset() < 11) {
      if (node.attributes().Has(names[i])) limits[i] = node.attributes().Float(names[i], 0);
    } else if (node.Has(i + 1)) {
      ASSAY_ASSIGN_OR_RETURN(limits[i], node.Number(i + 1, names[i]));
    }
  }
  // The exporters' word for no limit.
  constexpr double kLargest = std::numeric_limits<float>::max();
  if (limits[0].has_value() && *limits[0] <= -kLargest) limits[0].reset();
  if (limits[1].has_value() && *limits[1] >= kLargest) limits[1].reset();
  if (!limits[0].has_value() && !limits[1].has_value()) return node.Output(x);
  if (!x.floating_point()) {
    if (!x.constant()) return node.Refuse("of integers that depend on the image");
    // Numbers of integers are integers, whatever way they came.
    const auto limit = [&](std::optional<double> number) {
      return number.has_value() ? Operand(static_cast<int64_t>(*number)) : None();
    };
    for (const auto& number : limits) {
      if (number.has_value() && std::abs(*number) > 9e15) return node.Refuse("with such limits");
    }
    return node.Output(node.Same("aten::clamp", {x, limit(limits[0]), limit(limits[1])}));
  }
  const auto limit = [](std::optional<double> number) {
    return number.has_value() ? Operand(*number) : None();
  };
  return node.Output(node.Same("aten::clamp", {x, limit(limits[0]), limit(limits[1])}));
}

// --- softmax

// Since opset 13 along one axis; before, over that axis and all behind it.
absl::Status AlongAxes(Node& node, absl::StatusOr<Value> function(Node&, const Value&, int64_t)) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  const bool one_axis = node.opset() >= 13;
  const int64_t given = node.attributes().Int("axis", one_axis ? -1 : 1);
  ASSAY_ASSIGN_OR_RETURN(const int64_t axis, node.Axis(given, x.rank()));
  if (one_axis || axis == x.rank() - 1) return node.Output(function(node, x, axis));
  Sizes flat(x.sizes.begin(), x.sizes.begin() + axis);
  flat.push_back(Emitter::Count(Sizes(x.sizes.begin() + axis, x.sizes.end())));
  if (x.batch_axis >= axis) return node.MixesImages("its axes have the batch among them");
  ASSAY_ASSIGN_OR_RETURN(const Value flattened, node.Reshape(x, flat));
  ASSAY_ASSIGN_OR_RETURN(const Value result, function(node, flattened, axis));
  return node.Output(node.Reshape(result, x.sizes));
}

absl::StatusOr<Value> SoftmaxAlong(Node& node, const Value& x, int64_t axis) {
  ASSAY_RETURN_IF_ERROR(node.Apart(x, axis));
  return node.Same("aten::softmax", {x, axis, None()});
}
absl::StatusOr<Value> LogSoftmaxAlong(Node& node, const Value& x, int64_t axis) {
  ASSAY_RETURN_IF_ERROR(node.Apart(x, axis));
  return node.Same("aten::log_softmax", {x, axis, None()});
}

// One at the first of the largest, zero elsewhere: its gradient is zero.
absl::StatusOr<Value> HardmaxAlong(Node& node, const Value& x, int64_t axis) {
  ASSAY_RETURN_IF_ERROR(node.Apart(x, axis));
  Form index = x.form();
  index.sizes[static_cast<size_t>(axis)] = 1;
  index.type = at::kLong;
  ASSAY_ASSIGN_OR_RETURN(const Value largest, node.Call("aten::argmax", {x, axis, true}, index));
  Sizes line(x.sizes.size(), 1);
  line[static_cast<size_t>(axis)] = x.size(axis);
  const Value numbers = Known(at::arange(x.size(axis), at::kLong).view(line));
  Form same = x.form();
  same.type = at::kBool;
  ASSAY_ASSIGN_OR_RETURN(const Value hit, node.Call("aten::eq", {largest, numbers}, same));
  return node.Cast(hit, at::kFloat);
}

absl::Status Softmax(Node& node) { return AlongAxes(node, SoftmaxAlong); }
absl::Status LogSoftmax(Node& node) { return AlongAxes(node, LogSoftmaxAlong); }
absl::Status Hardmax(Node& node) { return AlongAxes(node, HardmaxAlong); }

}  // namespace

OperatorGroup ActivationOperators() {
  return {
      {"Relu", Relu},
      {"LeakyRelu", LeakyRelu},
      {"PRelu", PRelu},
      {"ThresholdedRelu", ThresholdedRelu},
      {"Elu", Elu},
      {"Selu", Selu},
      {"Celu", Celu},
      {"Sigmoid", Sigmoid},
      {"HardSigmoid", HardSigmoid},
      {"HardSwish", HardSwish},
      {"Tanh", Tanh},
      {"Softplus", Softplus},
      {"Softsign", Softsign},
      {"Mish", Mish},
      {"Swish", Swish},
      {"SwiGLU", SwiGlu},
      {"Gelu", Gelu},
      {"Shrink", Shrink},
      {"Clip", Clip},
      {"Softmax", Softmax},
      {"LogSoftmax", LogSoftmax},
      {"Hardmax", Hardmax},
  };
}

}  // namespace assay::engine::onnx
