#include "server/engine/import/missing_operators.h"

#include <torch/csrc/jit/frontend/function_schema_parser.h>
#include <torch/csrc/jit/runtime/operator.h>
#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;
using at::Tensor;
using jit::Stack;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The arguments of a call, taken from the stack: all that the schema names, in its order.
class Call {
 public:
  Call(Stack& stack, size_t count) : values_(jit::pop(stack, count)) {}

  const c10::IValue& operator[](size_t i) const { return values_[i]; }
  Tensor At(size_t i) const { return values_[i].toTensor(); }
  // Undefined if None, as LibTorch's functions take it.
  Tensor Maybe(size_t i) const { return values_[i].isNone() ? Tensor() : At(i); }
  double Number(size_t i, double otherwise) const {
    return values_[i].isNone() ? otherwise : values_[i].toScalar().toDouble();
  }
  std::vector<int64_t> Integers(size_t i) const { return values_[i].toIntVector(); }

 private:
  std::vector<c10::IValue> values_;
};

// --- attention

// Softmax along the last dimension, 0 where all that it is given is masked by -inf.
Tensor SafeSoftmax(const Tensor& scores, int64_t dim) {
  const Tensor nothing = scores.eq(-kInfinity).all(dim, /*keepdim=*/true);
  // Filled before, too, or the gradient of these rows would not be a number.
  return at::softmax(scores.masked_fill(nothing, 0), dim).masked_fill(nothing, 0);
}

// The scores of `query` and `key`, scaled and masked.
Tensor Scores(const Tensor& query, const Tensor& key, const Tensor& mask, bool causal,
              double scale) {
  const Tensor scores = at::matmul(query * scale, key.transpose(-2, -1));
  if (causal) {
    TORCH_CHECK(!mask.defined(), "attention that is causal takes no mask");
    const auto visible =
        at::ones({query.size(-2), key.size(-2)}, query.options().dtype(at::kBool)).tril();
    return scores.masked_fill(visible.logical_not(), -kInfinity);
  }
  if (!mask.defined()) return scores;
  return mask.scalar_type() == at::kBool ? scores.masked_fill(mask.logical_not(), -kInfinity)
                                         : scores + mask;
}

double ScaleOf(const Call& call, size_t i, const Tensor& query) {
  return call.Number(i, 1 / std::sqrt(static_cast<double>(query.size(-1))));
}

Tensor Attend(const Tensor& scores, const Tensor& value, bool masked, double dropout) {
  Tensor weights = masked ? SafeSoftmax(scores, -1) : at::softmax(scores, -1);
  if (dropout > 0) weights = at::dropout(weights, dropout, /*train=*/true);
  return at::matmul(weights, value);
}

// Of grouped queries, each head of `heads` serves as many heads of the query in a row.
Tensor ForEveryHead(const Tensor& heads, const Tensor& query) {
  return heads.repeat_interleave(query.size(-3) / heads.size(-3), -3);
}

void ScaledDotProductAttention(Stack& stack) {
  const Call call(stack, 8);
  const Tensor query = call.At(0), mask = call.Maybe(3);
  Tensor key = call.At(1), value = call.At(2);
  if (call[7].toBool()) {
    for (Tensor* heads : {&key, &value}) {
      TORCH_CHECK(query.dim() >= 3 && heads->dim() >= 3 && heads->size(-3) > 0 &&
                      query.size(-3) % heads->size(-3) == 0,
                  "the heads of the query are no multiple of those of key and value");
      *heads = ForEveryHead(*heads, query);
    }
  }
  const Tensor scores = Scores(query, key, mask, call[5].toBool(), ScaleOf(call, 6, query));
  jit::push(stack, Attend(scores, value, mask.defined(), call.Number(4, 0)));
}

// What exports that were decomposed have in its place.
void FlashAttentionForCpu(Stack& stack) {
  const Call call(stack, 7);
  const Tensor query = call.At(0), mask = call.Maybe(5);
  const Tensor scores = Scores(query, call.At(1), mask, call[4].toBool(), ScaleOf(call, 6, query));
  jit::push(stack, Attend(scores, call.At(2), mask.defined(), call.Number(3, 0)),
            at::logsumexp(scores, -1));
}

void SafeSoftmaxOperator(Stack& stack) {
  const Call call(stack, 3);
  const Tensor scores = call[2].isNone() ? call.At(0) : call.At(0).to(call[2].toScalarType());
  jit::push(stack, SafeSoftmax(scores, call[1].toInt()));
}

// --- normalisations

// The input divided by the root of the mean of its squares, times the weight; and one by the root.
std::pair<Tensor, Tensor> RmsNormOf(const Call& call) {
  const Tensor input = call.At(0), weight = call.Maybe(2);
  const std::vector<int64_t> shape = call.Integers(1);
  const auto normalized = static_cast<int64_t>(shape.size());
  TORCH_CHECK(normalized > 0 && normalized <= input.dim() &&
                  input.sizes().slice(static_cast<size_t>(input.dim() - normalized)) ==
                      at::IntArrayRef(shape),
              "rms_norm of sizes that its input does not end with");
  std::vector<int64_t> dims;
  for (int64_t d = -normalized; d < 0; ++d) dims.push_back(d);
  const bool low = input.scalar_type() == at::kHalf || input.scalar_type() == at::kBFloat16;
  const Tensor x = low ? input.to(at::kFloat) : input;
  const double eps =
      call.Number(3, x.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon()
                                                    : std::numeric_limits<float>::epsilon());
  const Tensor root = at::rsqrt(x.square().mean(dims, /*keepdim=*/true) + eps);
  Tensor result = x * root;
  if (weight.defined()) result = result * weight;
  return {low ? result.to(input.scalar_type()) : result, root};
}

void RmsNorm(Stack& stack) {
  const Call call(stack, 4);
  jit::push(stack, RmsNormOf(call).first);
}

void FusedRmsNorm(Stack& stack) {
  const Call call(stack, 4);
  auto [result, root] = RmsNormOf(call);
  jit::push(stack, std::move(result), std::move(root));
}

void PushBatchNorm(Stack& stack, const Call& call, const Tensor& mean, const Tensor& variance,
                   bool training, size_t momentum) {
  auto [result, saved_mean, saved_deviation] =
      at::native_batch_norm(call.At(0), call.Maybe(1), call.Maybe(2), mean, variance, training,
                            call.Number(momentum, 0), call.Number(momentum + 1, 0));
  jit::push(stack, std::move(result), std::move(saved_mean), std::move(saved_deviation));
}

void BatchNormInEval(Stack& stack) {
  const Call call(stack, 7);
  PushBatchNorm(stack, call, call.At(3), call.At(4), /*training=*/false, 5);
}

void BatchNorm(Stack& stack) {
  const Call call(stack, 8);
  PushBatchNorm(stack, call, call.At(3), call.At(4), call[5].toBool(), 6);
}

void BatchNormWithoutStatistics(Stack& stack) {
  const Call call(stack, 6);
  PushBatchNorm(stack, call, Tensor(), Tensor(), call[3].toBool(), 4);
}

// --- elements

void PreluKernel(Stack& stack) {
  const Call call(stack, 2);
  const Tensor x = call.At(0);
  jit::push(stack, at::where(x.gt(0), x, x * call.At(1)));
}

void UnsafeIndex(Stack& stack) {
  const Call call(stack, 2);
  jit::push(stack, at::index(call.At(0), call[1].toOptionalTensorList()));
}

// --- dimensions

// Dimensions counted from the front, the last one first; all of them if None.
std::vector<int64_t> Dimensions(const c10::IValue& value, int64_t rank) {
  std::vector<int64_t> dims;
  if (value.isNone()) {
    for (int64_t d = 0; d < rank; ++d) dims.push_back(d);
  } else {
    for (const int64_t d : value.toIntVector()) dims.push_back(at::maybe_wrap_dim(d, rank));
  }
  std::sort(dims.rbegin(), dims.rend());
  TORCH_CHECK(std::adjacent_find(dims.begin(), dims.end()) == dims.end(),
              "a dimension appears twice");
  return dims;
}

void SqueezeDims(Stack& stack) {
  const Call call(stack, 2);
  Tensor result = call.At(0);
  for (const int64_t d : Dimensions(call[1], result.dim())) result = result.squeeze(d);
  jit::push(stack, result);
}

template <Tensor (*kReduce)(const Tensor&, int64_t, bool)>
void ReduceDims(Stack& stack) {
  const Call call(stack, 3);
  Tensor result = call.At(0);
  const bool keep = call[2].toBool();
  for (const int64_t d : Dimensions(call[1], result.dim())) result = kReduce(result, d, keep);
  jit::push(stack, result.to(at::kBool));
}
Tensor AnyAlong(const Tensor& x, int64_t dim, bool keep) { return at::any(x, dim, keep); }
Tensor AllAlong(const Tensor& x, int64_t dim, bool keep) { return at::all(x, dim, keep); }

// Variance and mean with any correction: sum of squared distances from the mean / (n - correction).
std::pair<Tensor, Tensor> VarianceAndMean(const Call& call) {
  const Tensor x = call.At(0);
  std::vector<int64_t> dims = Dimensions(call[1], x.dim());
  // An empty list means all, too.
  if (dims.empty()) dims = Dimensions(c10::IValue(), x.dim());
  const bool keep = call[3].toBool();
  double count = 1;
  for (const int64_t d : dims) count *= static_cast<double>(x.size(d));
  const double divisor = std::max(0.0, count - call.Number(2, 1));
  const Tensor mean = x.mean(dims, /*keepdim=*/true);
  const Tensor variance = (x - mean).square().sum(dims, keep) / divisor;
  return {variance, keep ? mean : x.mean(dims, /*keepdim=*/false)};
}

void Variance(Stack& stack) {
  const Call call(stack, 4);
  jit::push(stack, VarianceAndMean(call).first);
}
void Deviation(Stack& stack) {
  const Call call(stack, 4);
  jit::push(stack, VarianceAndMean(call).first.sqrt());
}
void VarianceMean(Stack& stack) {
  const Call call(stack, 4);
  auto [variance, mean] = VarianceAndMean(call);
  jit::push(stack, std::move(variance), std::move(mean));
}
void DeviationMean(Stack& stack) {
  const Call call(stack, 4);
  auto [variance, mean] = VarianceAndMean(call);
  jit::push(stack, variance.sqrt(), std::move(mean));
}

// Exports assert what they were exported with. Not the device, which is chosen here.
void AssertMetadata(Stack& stack) {
  const Call call(stack, 6);
  const Tensor x = call.At(0);
  TORCH_CHECK((call[1].isNone() || x.sizes() == at::IntArrayRef(call.Integers(1))) &&
                  (call[2].isNone() || x.strides() == at::IntArrayRef(call.Integers(2))) &&
                  (call[3].isNone() || x.scalar_type() == call[3].toScalarType()),
              "a tensor has another shape or type than when the model was exported");
}

struct Definition {
  // As PyTorch 2.x documents it in native_functions.yaml.
  const char* schema;
  void (*run)(Stack&);
};

constexpr Definition kDefinitions[] = {
    {"aten::_assert_tensor_metadata(Tensor a, int[]? size=None, int[]? stride=None, ScalarType? "
     "dtype=None, *, Device? device=None, Layout? layout=None) -> ()",
     AssertMetadata},
    {"aten::_fused_rms_norm(Tensor input, int[] normalized_shape, Tensor? weight, float? eps) -> "
     "(Tensor, Tensor)",
     FusedRmsNorm},
    {"aten::_native_batch_norm_legit(Tensor input, Tensor? weight, Tensor? bias, Tensor(a!) "
     "running_mean, Tensor(b!) running_var, bool training, float momentum, float eps) -> (Tensor, "
     "Tensor, Tensor)",
     BatchNorm},
    {"aten::_native_batch_norm_legit.no_stats(Tensor input, Tensor? weight, Tensor? bias, bool "
     "training, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
     BatchNormWithoutStatistics},
    {"aten::_native_batch_norm_legit_no_training(Tensor input, Tensor? weight, Tensor? bias, "
     "Tensor running_mean, Tensor running_var, float momentum, float eps) -> (Tensor, Tensor, "
     "Tensor)",
     BatchNormInEval},
    {"aten::_prelu_kernel(Tensor self, Tensor weight) -> Tensor", PreluKernel},
    {"aten::_safe_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor",
     SafeSoftmaxOperator},
    {"aten::_scaled_dot_product_flash_attention_for_cpu(Tensor query, Tensor key, Tensor value, "
     "float dropout_p=0.0, bool is_causal=False, *, Tensor? attn_mask=None, float? scale=None) -> "
     "(Tensor output, Tensor logsumexp)",
     FlashAttentionForCpu},
    {"aten::_unsafe_index.Tensor(Tensor self, Tensor?[] indices) -> Tensor", UnsafeIndex},
    {"aten::all.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
     ReduceDims<AllAlong>},
    {"aten::any.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
     ReduceDims<AnyAlong>},
    {"aten::rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None) "
     "-> Tensor",
     RmsNorm},
    {"aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? "
     "attn_mask=None, float dropout_p=0.0, bool is_causal=False, *, float? scale=None, bool "
     "enable_gqa=False) -> Tensor",
     ScaledDotProductAttention},
    {"aten::squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)", SqueezeDims},
    {"aten::std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> Tensor",
     Deviation},
    {"aten::std_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> (Tensor, Tensor)",
     DeviationMean},
    {"aten::var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> Tensor",
     Variance},
    {"aten::var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool "
     "keepdim=False) -> (Tensor, Tensor)",
     VarianceMean},
};

// Whether a call that suits `newer` suits `existing`.
bool Takes(const c10::FunctionSchema& existing, const c10::FunctionSchema& newer) {
  for (const c10::Argument& argument : newer.arguments()) {
    const auto index = existing.argumentIndexWithName(argument.name());
    if (!index.has_value()) return false;
    const c10::Argument& same = existing.arguments()[static_cast<size_t>(*index)];
    if (!argument.type()->isSubtypeOf(*same.type())) return false;
    if (argument.default_value().has_value() && !same.default_value().has_value()) return false;
  }
  return true;
}

std::vector<std::string> Register() {
  std::vector<std::string> registered;
  for (const Definition& definition : kDefinitions) {
    c10::FunctionSchema schema = jit::parseSchema(definition.schema);
    if (const auto existing = jit::findOperatorFor(schema.operator_name())) {
      if (Takes(existing->schema(), schema)) continue;
      // Names with their overload are unique; calls find either by its arguments.
      schema = schema.cloneWithName(schema.name(), absl::StrCat(schema.overload_name(), "_newer"));
    }
    registered.push_back(absl::StrCat(schema.name(), schema.overload_name().empty() ? "" : ".",
                                      schema.overload_name()));
    jit::registerOperator(jit::Operator(c10::toString(schema), jit::Operation(definition.run),
                                        c10::AliasAnalysisKind::FROM_SCHEMA));
  }
  return registered;
}

}  // namespace

const std::vector<std::string>& RegisterMissingOperators() {
  static const auto* const registered = new std::vector<std::string>(Register());
  return *registered;
}

}  // namespace assay::engine
