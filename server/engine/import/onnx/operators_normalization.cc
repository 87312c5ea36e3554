// Normalisations.
#include <ATen/ATen.h>

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

// One constant for each of `channels`.
absl::StatusOr<Value> PerChannel(Node& node, size_t input, int64_t channels,
                                 absl::string_view what) {
  ASSAY_ASSIGN_OR_RETURN(Value value, node.Input(input));
  if (!value.constant() || !value.floating_point() || value.rank() != 1 ||
      value.size(0) != channels) {
    return node.Refuse(
        absl::StrCat("its ", what, " is not one constant for each of ", channels, " channels"));
  }
  return value;
}

absl::Status BatchNormalization(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  if (x.rank() < 2) return node.Refuse("of a tensor without channels");
  ASSAY_RETURN_IF_ERROR(node.Apart(x, 1));
  ASSAY_ASSIGN_OR_RETURN(const Value scale, PerChannel(node, 1, x.size(1), "scale"));
  ASSAY_ASSIGN_OR_RETURN(const Value bias, PerChannel(node, 2, x.size(1), "bias"));
  ASSAY_ASSIGN_OR_RETURN(const Value mean, PerChannel(node, 3, x.size(1), "mean"));
  ASSAY_ASSIGN_OR_RETURN(const Value variance, PerChannel(node, 4, x.size(1), "variance"));
  const double eps = node.attributes().Float("epsilon", 1e-5f);
  // What running statistics follow in training.
  node.attributes().Float("momentum", 0.9f);
  if (node.attributes().Flag("training_mode", false)) {
    return node.Refuse("in training mode; export the model in evaluation mode (model.eval())");
  }
  if (node.opset() < 9 && !node.attributes().Flag("spatial", true)) {
    return node.Refuse("with statistics for each pixel (spatial = 0)");
  }
  return node.Output(
      node.Same("aten::batch_norm", {x, scale, bias, mean, variance, false, 0.1, eps, false}));
}

// Over channels in `groups` and all axes behind them, without scale and bias.
absl::StatusOr<Value> NormalizeGroups(Node& node, const Value& x, int64_t groups, double eps) {
  if (x.rank() < 3) return node.Refuse("of other than N x C and more axes");
  ASSAY_RETURN_IF_ERROR(node.BatchFirst(x));
  if (groups < 1 || x.size(1) % groups != 0) {
    return node.Refuse(absl::StrCat("of ", x.size(1), " channels in ", groups, " groups"));
  }
  return node.Same("aten::group_norm", {x, groups, None(), None(), eps, false});
}

absl::Status GroupNorm(Node& node, int64_t groups) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  if (x.rank() < 3) return node.Refuse("of other than N x C and more axes");
  const double eps = node.attributes().Float("epsilon", 1e-5f);
  node.attributes().Int("stash_type", 1);  // the precision: that of the module
  // Opset 18 has one scale for each group, later ones for each channel.
  const bool grouped = node.type() == "GroupNormalization" && node.opset() < 21;
  const int64_t expected = grouped ? groups : x.size(1);
  ASSAY_ASSIGN_OR_RETURN(Value scale, PerChannel(node, 1, expected, "scale"));
  ASSAY_ASSIGN_OR_RETURN(Value bias, PerChannel(node, 2, expected, "bias"));
  ASSAY_ASSIGN_OR_RETURN(const Value normal, NormalizeGroups(node, x, groups, eps));
  if (grouped) {
    const int64_t repeats = x.size(1) / groups;
    scale = Known(scale.known.repeat_interleave(repeats));
    bias = Known(bias.known.repeat_interleave(repeats));
  }
  Sizes line(x.sizes.size() - 1, 1);
  line[0] = x.size(1);
  ASSAY_ASSIGN_OR_RETURN(const Value factor, node.Reshape(scale, line));
  ASSAY_ASSIGN_OR_RETURN(const Value shift, node.Reshape(bias, line));
  ASSAY_ASSIGN_OR_RETURN(const Value scaled, node.Binary("aten::mul", normal, factor));
  return node.Output(node.Binary("aten::add", scaled, shift));
}

absl::Status GroupNormalization(Node& node) {
  return GroupNorm(node, node.attributes().RequiredInt("num_groups"));
}

// Each channel is its own group.
absl::Status InstanceNormalization(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  if (x.rank() < 3) return node.Refuse("of other than N x C and more axes");
  return GroupNorm(node, x.size(1));
}

// The axes from `axis` on, which are normalised together.
absl::StatusOr<Sizes> NormalizedAxes(Node& node, const Value& x) {
  ASSAY_ASSIGN_OR_RETURN(const int64_t first,
                         node.Axis(node.attributes().Int("axis", -1), x.rank()));
  node.attributes().Int("stash_type", 1);
  Sizes axes;
  for (int64_t axis = first; axis < x.rank(); ++axis) {
    ASSAY_RETURN_IF_ERROR(node.Apart(x, axis));
    axes.push_back(axis);
  }
  return axes;
}

// value * input 1 + input 2, which may not make it larger.
absl::Status ScaleAndShift(Node& node, Value value) {
  const Sizes sizes = value.sizes;
  for (const auto& [input, aten] : {std::pair{1, "aten::mul"}, std::pair{2, "aten::add"}}) {
    const auto i = static_cast<size_t>(input);
    if (i > 1 && !node.Has(i)) continue;
    ASSAY_ASSIGN_OR_RETURN(const Value factor, node.Input(i));
    ASSAY_ASSIGN_OR_RETURN(value, node.Binary(aten, value, factor));
    if (value.sizes != sizes) return node.Refuse("its scale or bias is larger than its input");
  }
  return node.Output(value);
}

absl::Status LayerNormalization(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  ASSAY_ASSIGN_OR_RETURN(const Sizes axes, NormalizedAxes(node, x));
  const double eps = node.attributes().Float("epsilon", 1e-5f);
  const Sizes shape(x.sizes.begin() + axes.front(), x.sizes.end());
  ASSAY_ASSIGN_OR_RETURN(const Value scale, node.Input(1));
  Operand bias = None();
  bool native = scale.constant() && scale.sizes == shape;
  if (node.Has(2)) {
    ASSAY_ASSIGN_OR_RETURN(const Value given, node.Input(2));
    native = native && given.constant() && given.sizes == shape;
    bias = given;
  }
  if (native) {
    return node.Output(node.Same("aten::layer_norm", {x, shape, scale, bias, eps, false}));
  }
  ASSAY_ASSIGN_OR_RETURN(const Value normal,
                         node.Same("aten::layer_norm", {x, shape, None(), None(), eps, false}));
  return ScaleAndShift(node, normal);
}

absl::Status RmsNormalization(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  ASSAY_ASSIGN_OR_RETURN(const Sizes axes, NormalizedAxes(node, x));
  const double eps = node.attributes().Float("epsilon", 1e-5f);
  Form form = x.form();
  for (const int64_t axis : axes) form.sizes[static_cast<size_t>(axis)] = 1;
  ASSAY_ASSIGN_OR_RETURN(const Value square, node.Binary("aten::mul", x, x));
  ASSAY_ASSIGN_OR_RETURN(const Value mean, node.Call("aten::mean", {square, axes, true}, form));
  ASSAY_ASSIGN_OR_RETURN(const Value shifted, node.Same("aten::add", {mean, eps}));
  ASSAY_ASSIGN_OR_RETURN(const Value root, node.Same("aten::sqrt", {shifted}));
  ASSAY_ASSIGN_OR_RETURN(const Value normal, node.Binary("aten::div", x, root));
  return ScaleAndShift(node, normal);
}

// x / (bias + alpha / size * sum of x^2 over `size` channels)^beta
absl::Status LocalResponseNormalization(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  const int64_t size = node.attributes().RequiredInt("size");
  const double alpha = node.attributes().Float("alpha", 1e-4f);
  const double beta = node.attributes().Float("beta", 0.75f);
  const double bias = node.attributes().Float("bias", 1);
  if (x.rank() != 4) return node.Refuse("of other than N x C x H x W");
  ASSAY_RETURN_IF_ERROR(node.BatchFirst(x));
  if (size < 1 || size > 2 * x.size(1))
    return node.Refuse(absl::StrCat("over ", size, " channels"));
  ASSAY_ASSIGN_OR_RETURN(const Value square, node.Binary("aten::mul", x, x));
  // The channels as the depth of a volume.
  ASSAY_ASSIGN_OR_RETURN(const Value volume,
                         node.Reshape(square, {x.size(0), 1, x.size(1), x.size(2), x.size(3)}));
  ASSAY_ASSIGN_OR_RETURN(const Value padded, node.Pad(volume, {0, 0, (size - 1) / 2, 0, 0},
                                                      {0, 0, size - 1 - (size - 1) / 2, 0, 0}));
  ASSAY_ASSIGN_OR_RETURN(const Value means, node.Call("aten::avg_pool3d",
                                                      {padded, Sizes{size, 1, 1}, Sizes{1, 1, 1},
                                                       Sizes{0, 0, 0}, false, true, None()},
                                                      volume.form()));
  ASSAY_ASSIGN_OR_RETURN(const Value flat, node.Reshape(means, x.sizes));
  ASSAY_ASSIGN_OR_RETURN(const Value scaled, node.Same("aten::mul", {flat, alpha}));
  ASSAY_ASSIGN_OR_RETURN(const Value shifted, node.Same("aten::add", {scaled, bias}));
  ASSAY_ASSIGN_OR_RETURN(const Value divisor, node.Same("aten::pow", {shifted, beta}));
  return node.Output(node.Binary("aten::div", x, divisor));
}

// x / |x|_p along an axis, and zero where the norm is.
absl::Status LpNormalization(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, Activations(node));
  ASSAY_ASSIGN_OR_RETURN(const int64_t axis,
                         node.Axis(node.attributes().Int("axis", -1), x.rank()));
  const int64_t p = node.attributes().Int("p", 2);
  if (p != 1 && p != 2) return node.Refuse("with p other than 1 or 2");
  ASSAY_RETURN_IF_ERROR(node.Apart(x, axis));
  Form form = x.form();
  form.sizes[static_cast<size_t>(axis)] = 1;
  ASSAY_ASSIGN_OR_RETURN(
      const Value norm,
      node.Call("aten::norm", {x, static_cast<double>(p), Sizes{axis}, true}, form));
  Form condition = form;
  condition.type = at::kBool;
  ASSAY_ASSIGN_OR_RETURN(const Value none, node.Call("aten::eq", {norm, 0.0}, condition));
  ASSAY_ASSIGN_OR_RETURN(const Value divisor,
                         node.Call("aten::where", {none, Known(at::ones({})), norm}, form));
  return node.Output(node.Binary("aten::div", x, divisor));
}

}  // namespace

OperatorGroup NormalizationOperators() {
  return {
      {"BatchNormalization", BatchNormalization}, {"InstanceNormalization", InstanceNormalization},
      {"GroupNormalization", GroupNormalization}, {"LayerNormalization", LayerNormalization},
      {"RMSNormalization", RmsNormalization},     {"LRN", LocalResponseNormalization},
      {"LpNormalization", LpNormalization},
  };
}

}  // namespace assay::engine::onnx
