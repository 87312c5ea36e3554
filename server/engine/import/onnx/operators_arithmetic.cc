// Sums, products, functions of one number, comparisons and logic.
#include <ATen/ATen.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/onnx/operators.h"

namespace assay::engine::onnx {
namespace {

// A constant of one number that does not add axes to `other`: a plain number says the same in a
// form that bounds and freezing know.
bool IsScalarBeside(const Value& value, const Value& other) {
  return value.constant() && value.floating_point() && value.known.numel() == 1 &&
         value.rank() <= other.rank() && !other.constant();
}

double ToNumber(const Value& value) { return value.known.item<float>(); }

struct Pair {
  Value left, right;
};

absl::StatusOr<Pair> Operands(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(Value left, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(Value right, node.Input(1));
  if (left.type != right.type) return node.Refuse("its inputs have different types");
  return Pair{std::move(left), std::move(right)};
}

// `aten` of two tensors; `reversed` is the operator with its arguments exchanged, or nullptr.
absl::Status Arithmetic(Node& node, const char* aten, const char* reversed) {
  ASSAY_ASSIGN_OR_RETURN(const Pair x, Operands(node));
  if (x.left.type == at::kBool) return node.Refuse("arithmetic with booleans");
  if (IsScalarBeside(x.right, x.left)) {
    return node.Output(node.Same(aten, {x.left, ToNumber(x.right)}));
  }
  if (reversed != nullptr && IsScalarBeside(x.left, x.right)) {
    return node.Output(node.Same(reversed, {x.right, ToNumber(x.left)}));
  }
  return node.Output(node.Binary(aten, x.left, x.right));
}

absl::Status Add(Node& node) { return Arithmetic(node, "aten::add", "aten::add"); }
absl::Status Sub(Node& node) { return Arithmetic(node, "aten::sub", "aten::rsub"); }
absl::Status Mul(Node& node) { return Arithmetic(node, "aten::mul", "aten::mul"); }

// Division of integers traps on zero and where the result does not fit.
absl::Status CheckDivisor(Node& node, const Pair& x) {
  if (!x.right.constant()) return node.Refuse("division by integers that depend on the image");
  const at::Tensor divisor = x.right.known.to(at::kLong);
  if (divisor.eq(0).any().item<bool>()) return node.Refuse("division by zero");
  if (divisor.eq(-1).any().item<bool>() &&
      (!x.left.constant() ||
       x.left.known.to(at::kLong).le(std::numeric_limits<int32_t>::min()).any().item<bool>())) {
    return node.Refuse("division of integers by -1");
  }
  return absl::OkStatus();
}

absl::Status Div(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Pair x, Operands(node));
  if (x.left.floating_point()) return Arithmetic(node, "aten::div", nullptr);
  ASSAY_RETURN_IF_ERROR(CheckDivisor(node, x));
  ASSAY_ASSIGN_OR_RETURN(const Form form, node.Broadcast({x.left, x.right}, x.left.type));
  return node.Output(node.Call("aten::div", {x.left, x.right}, form,
                               {{"rounding_mode", c10::IValue(std::string("trunc"))}}));
}

// With fmod the result has the sign of the dividend, without that of the divisor.
absl::Status Mod(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Pair x, Operands(node));
  const bool fmod = node.attributes().Flag("fmod", false);
  if (x.left.floating_point() && !fmod) return node.Refuse("of floating point without fmod");
  if (!x.left.floating_point()) ASSAY_RETURN_IF_ERROR(CheckDivisor(node, x));
  return node.Output(node.Binary(fmod ? "aten::fmod" : "aten::remainder", x.left, x.right));
}

absl::Status Pow(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value base, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(const Value exponent, node.Input(1));
  if (!base.floating_point()) {
    // The result has the type of the base, which LibTorch would widen to floating point.
    if (!base.constant() || !exponent.constant()) return node.Refuse("powers of integers");
    ASSAY_ASSIGN_OR_RETURN(const Form form, node.Broadcast({base, exponent}, at::kFloat));
    if (base.type != at::kLong && base.type != at::kInt) return node.Refuse("powers of this type");
    const at::Tensor power =
        at::pow(base.known.to(at::kDouble), exponent.known.to(at::kDouble)).to(base.type);
    ASSAY_RETURN_IF_ERROR(Emitter::CheckSizes(form.sizes));
    return node.Output(Known(power));
  }
  if (exponent.constant() && exponent.known.numel() == 1 && exponent.rank() <= base.rank()) {
    return node.Output(
        node.Same("aten::pow", {base, exponent.known.to(at::kDouble).item<double>()}));
  }
  ASSAY_ASSIGN_OR_RETURN(const Value power, node.Cast(exponent, at::kFloat));
  return node.Output(node.Binary("aten::pow", base, power));
}

// --- of one tensor

absl::Status Unary(Node& node, const char* aten) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  return node.Output(node.Same(aten, {x}));
}

template <const char* kAten>
absl::Status OfFloats(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  if (!x.floating_point()) return node.Refuse("of other types than floating point");
  return Unary(node, kAten);
}

template <const char* kAten>
absl::Status OfNumbers(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  if (x.type == at::kBool) return node.Refuse("of booleans");
  return Unary(node, kAten);
}

constexpr char kAbs[] = "aten::abs", kNeg[] = "aten::neg", kSign[] = "aten::sign";
constexpr char kSqrt[] = "aten::sqrt", kExp[] = "aten::exp", kLog[] = "aten::log",
               kReciprocal[] = "aten::reciprocal", kErf[] = "aten::erf", kFloor[] = "aten::floor",
               kCeil[] = "aten::ceil", kSin[] = "aten::sin", kCos[] = "aten::cos",
               kTan[] = "aten::tan", kAsin[] = "aten::asin", kAcos[] = "aten::acos",
               kAtan[] = "aten::atan", kSinh[] = "aten::sinh", kCosh[] = "aten::cosh",
               kAsinh[] = "aten::asinh", kAcosh[] = "aten::acosh", kAtanh[] = "aten::atanh",
               // Both round halves to even.
    kRound[] = "aten::round";

// --- of any number of tensors

absl::Status Variadic(Node& node, const char* aten, bool mean = false) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<Value> inputs, node.Inputs());
  Value result = inputs[0];
  if (result.type == at::kBool) return node.Refuse("of booleans");
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (inputs[i].type != result.type) return node.Refuse("its inputs have different types");
    ASSAY_ASSIGN_OR_RETURN(result, node.Binary(aten, result, inputs[i]));
  }
  if (!mean) return node.Output(result);
  if (!result.floating_point()) return node.Refuse("of other types than floating point");
  return node.Output(node.Same("aten::div", {result, static_cast<double>(inputs.size())}));
}

// Against one number, Max and Min are the clamps that bounds know.
absl::Status Extreme(Node& node, const char* aten, const char* clamp) {
  if (node.input_count() == 2) {
    ASSAY_ASSIGN_OR_RETURN(const Pair x, Operands(node));
    for (const auto& [value, limit] : {std::pair{x.left, x.right}, std::pair{x.right, x.left}}) {
      if (IsScalarBeside(limit, value)) {
        return node.Output(node.Same(clamp, {value, ToNumber(limit)}));
      }
    }
  }
  return Variadic(node, aten);
}

absl::Status Max(Node& node) { return Extreme(node, "aten::maximum", "aten::clamp_min"); }
absl::Status Min(Node& node) { return Extreme(node, "aten::minimum", "aten::clamp_max"); }
absl::Status Sum(Node& node) { return Variadic(node, "aten::add"); }
absl::Status Mean(Node& node) { return Variadic(node, "aten::add", /*mean=*/true); }

// --- comparisons and logic

template <const char* kAten>
absl::Status Compare(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Pair x, Operands(node));
  ASSAY_ASSIGN_OR_RETURN(const Form form, node.Broadcast({x.left, x.right}, at::kBool));
  return node.Output(node.Call(kAten, {x.left, x.right}, form));
}

template <const char* kAten>
absl::Status Logic(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Pair x, Operands(node));
  if (x.left.type != at::kBool) return node.Refuse("of other types than booleans");
  return Compare<kAten>(node);
}

absl::Status Not(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  if (x.type != at::kBool) return node.Refuse("of other types than booleans");
  return Unary(node, "aten::logical_not");
}

constexpr char kEqual[] = "aten::eq", kLess[] = "aten::lt", kGreater[] = "aten::gt",
               kLessOrEqual[] = "aten::le", kGreaterOrEqual[] = "aten::ge",
               kAnd[] = "aten::logical_and", kOr[] = "aten::logical_or",
               kXor[] = "aten::logical_xor";

template <const char* kAten>
absl::Status Question(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  Form form = x.form();
  form.type = at::kBool;
  return node.Output(node.Call(kAten, {x}, form));
}

absl::Status IsInf(Node& node);
constexpr char kIsNan[] = "aten::isnan", kIsInf[] = "aten::isinf";

absl::Status IsInf(Node& node) {
  if (!node.attributes().Flag("detect_negative", true) ||
      !node.attributes().Flag("detect_positive", true)) {
    return node.Refuse("of one sign only");
  }
  return Question<kIsInf>(node);
}

absl::Status Where(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value condition, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(const Value yes, node.Input(1));
  ASSAY_ASSIGN_OR_RETURN(const Value no, node.Input(2));
  if (condition.type != at::kBool || yes.type != no.type) return node.Refuse("of these types");
  ASSAY_ASSIGN_OR_RETURN(const Form form, node.Broadcast({condition, yes, no}, yes.type));
  return node.Output(node.Call("aten::where", {condition, yes, no}, form));
}

}  // namespace

OperatorGroup ArithmeticOperators() {
  return {
      {"Add", Add},
      {"Sub", Sub},
      {"Mul", Mul},
      {"Div", Div},
      {"Mod", Mod},
      {"Pow", Pow},
      {"Abs", OfNumbers<kAbs>},
      {"Neg", OfNumbers<kNeg>},
      {"Sign", OfNumbers<kSign>},
      {"Sqrt", OfFloats<kSqrt>},
      {"Exp", OfFloats<kExp>},
      {"Log", OfFloats<kLog>},
      {"Reciprocal", OfFloats<kReciprocal>},
      {"Erf", OfFloats<kErf>},
      {"Floor", OfFloats<kFloor>},
      {"Ceil", OfFloats<kCeil>},
      {"Round", OfFloats<kRound>},
      {"Sin", OfFloats<kSin>},
      {"Cos", OfFloats<kCos>},
      {"Tan", OfFloats<kTan>},
      {"Asin", OfFloats<kAsin>},
      {"Acos", OfFloats<kAcos>},
      {"Atan", OfFloats<kAtan>},
      {"Sinh", OfFloats<kSinh>},
      {"Cosh", OfFloats<kCosh>},
      {"Asinh", OfFloats<kAsinh>},
      {"Acosh", OfFloats<kAcosh>},
      {"Atanh", OfFloats<kAtanh>},
      {"Max", Max},
      {"Min", Min},
      {"Sum", Sum},
      {"Mean", Mean},
      {"Equal", Compare<kEqual>},
      {"Less", Compare<kLess>},
      {"Greater", Compare<kGreater>},
      {"LessOrEqual", Compare<kLessOrEqual>},
      {"GreaterOrEqual", Compare<kGreaterOrEqual>},
      {"And", Logic<kAnd>},
      {"Or", Logic<kOr>},
      {"Xor", Logic<kXor>},
      {"Not", Not},
      {"IsNaN", Question<kIsNan>},
      {"IsInf", IsInf},
      {"Where", Where},
  };
}

}  // namespace assay::engine::onnx
