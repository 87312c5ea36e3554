// Resizing: along each axis on its own, every element of the result is a sum of elements, whose
// places and weights follow from ONNX's coordinate transformations. What LibTorch calls "bilinear"
// or "bicubic" is one of them each, so that only nearest neighbours and these sums are used.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/onnx/operators.h"
#include "server/engine/import/onnx/tensor.h"

namespace assay::engine::onnx {
namespace {

struct Axis {
  int64_t in = 1, out = 1;
  double scale = 1;
};

struct Method {
  std::string mode, coordinates, nearest;
  double cubic = -0.75;
  bool exclude_outside = false;
  // Before opset 11 nothing says what is nearest when an image becomes smaller.
  bool old = false;
};

// Where element `i` of the result is in the input, in arithmetic of `Number`.
template <typename Number>
Number Place(const Method& method, const Axis& axis, int64_t i) {
  const auto x = static_cast<Number>(i), scale = static_cast<Number>(axis.scale);
  const auto in = static_cast<Number>(axis.in), out = static_cast<Number>(axis.out);
  const Number half = static_cast<Number>(0.5), half_pixel = (x + half) / scale - half;
  if (method.coordinates == "asymmetric") return x / scale;
  if (method.coordinates == "align_corners") {
    return axis.out == 1 ? 0 : x * (in - 1) / (out - 1);
  }
  if (method.coordinates == "pytorch_half_pixel") return axis.out > 1 ? half_pixel : 0;
  if (method.coordinates == "tf_half_pixel_for_nn") return (x + half) / scale;
  if (method.coordinates == "half_pixel_symmetric") {
    return in / 2 * (1 - out / (in * scale)) + half_pixel;
  }
  return half_pixel;
}

template <typename Number>
int64_t Nearest(const Method& method, const Axis& axis, int64_t i) {
  const Number place = Place<Number>(method, axis, i);
  Number index = std::floor(place);
  if (method.nearest == "ceil") index = std::ceil(place);
  const auto half = static_cast<Number>(0.5);
  if (method.nearest == "round_prefer_floor") index = std::ceil(place - half);
  if (method.nearest == "round_prefer_ceil") index = std::floor(place + half);
  return std::clamp<int64_t>(static_cast<int64_t>(index), 0, axis.in - 1);
}

absl::StatusOr<Value> ResizeNearest(Node& node, const Value& x, int64_t number, const Axis& axis,
                                    const Method& method) {
  Sizes indices;
  bool same = axis.in == axis.out;
  for (int64_t i = 0; i < axis.out; ++i) {
    const int64_t index = Nearest<double>(method, axis, i);
    const double place = Place<double>(method, axis, i);
    if (index != Nearest<float>(method, axis, i) ||
        (method.old && axis.scale < 1 && place != std::floor(place))) {
      return node.Refuse(absl::StrCat("by a factor ", axis.scale,
                                      ", of which runtimes round the coordinates differently"));
    }
    indices.push_back(index);
    same = same && index == i;
  }
  if (same) return x;
  return node.Select(x, number, indices);
}

// Of an element at distance `d`, in cubic interpolation with the coefficient `a`.
double CubicWeight(double d, double a) {
  d = std::abs(d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return 0;
}

absl::StatusOr<Value> ResizeByWeights(Node& node, const Value& x, int64_t number, const Axis& axis,
                                      const Method& method) {
  if (axis.in > kMostElements / axis.out) return node.Refuse("its image is too large");
  at::Tensor weights = at::zeros({axis.out, axis.in}, at::kDouble);
  auto weight = weights.accessor<double, 2>();
  for (int64_t i = 0; i < axis.out; ++i) {
    const double place = Place<double>(method, axis, i);
    const auto floor = static_cast<int64_t>(std::floor(place));
    const bool linear = method.mode == "linear";
    double total = 0;
    for (int64_t at = floor - (linear ? 0 : 1); at <= floor + (linear ? 1 : 2); ++at) {
      const double distance = place - static_cast<double>(at);
      const double part =
          linear ? std::max(0.0, 1 - std::abs(distance)) : CubicWeight(distance, method.cubic);
      if (method.exclude_outside && (at < 0 || at >= axis.in)) continue;
      weight[i][std::clamp<int64_t>(at, 0, axis.in - 1)] += part;
      total += part;
    }
    for (int64_t at = 0; method.exclude_outside && at < axis.in; ++at) weight[i][at] /= total;
  }
  if (axis.in == axis.out && weights.equal(at::eye(axis.in, at::kDouble))) return x;
  ASSAY_RETURN_IF_ERROR(node.Apart(x, number));
  Sizes order(x.sizes.size());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<size_t>(number)], order.back());
  ASSAY_ASSIGN_OR_RETURN(const Value last, node.Permute(x, order));
  Form form = last.form();
  form.sizes.back() = axis.out;
  ASSAY_ASSIGN_OR_RETURN(const Value resized,
                         node.Call("aten::linear", {last, Known(weights.to(at::kFloat))}, form));
  return node.Permute(resized, order);
}

absl::Status ResizeAxes(Node& node, Value x, const std::vector<Axis>& axes, const Method& method) {
  for (size_t i = 0; i < axes.size(); ++i) {
    const Axis& axis = axes[i];
    const auto number = static_cast<int64_t>(i);
    if (axis.out < 1 || axis.out > kMostElements) return node.Refuse("its result has no size");
    // Whatever the mode, an axis that keeps its size keeps its elements.
    if (axis.in == axis.out && axis.scale == 1) continue;
    if (method.mode == "nearest") {
      ASSAY_ASSIGN_OR_RETURN(x, ResizeNearest(node, x, number, axis, method));
    } else {
      ASSAY_ASSIGN_OR_RETURN(x, ResizeByWeights(node, x, number, axis, method));
    }
  }
  return node.Output(x);
}

absl::StatusOr<std::vector<Axis>> AxesByScale(Node& node, const Value& x,
                                              const std::vector<double>& scales) {
  if (scales.size() != x.sizes.size()) return node.Refuse("it does not scale every axis");
  std::vector<Axis> axes;
  for (size_t i = 0; i < scales.size(); ++i) {
    if (!(scales[i] > 0 && scales[i] <= 1e6)) return node.Refuse("with such scales");
    Axis axis{x.sizes[i], 0, scales[i]};
    // Runtimes multiply in float32.
    axis.out = static_cast<int64_t>(
        std::floor(static_cast<float>(axis.in) * static_cast<float>(scales[i])));
    axes.push_back(axis);
  }
  return axes;
}

absl::Status Upsample(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  Method method{node.attributes().Text("mode", "nearest"), "asymmetric", "floor"};
  method.old = true;
  if (method.mode != "nearest" && method.mode != "linear") {
    return node.Refuse(absl::StrCat("with the mode '", method.mode, "'"));
  }
  std::vector<double> scales;
  if (node.type() == "Upsample" && node.opset() < 9) {
    for (const float scale : node.attributes().Floats("scales")) scales.push_back(scale);
  } else {
    ASSAY_ASSIGN_OR_RETURN(const at::Tensor given, node.Constant(1, "scales"));
    const at::Tensor wide = given.to(at::kDouble).reshape({-1}).contiguous();
    scales.assign(wide.data_ptr<double>(), wide.data_ptr<double>() + wide.numel());
  }
  ASSAY_ASSIGN_OR_RETURN(const std::vector<Axis> axes, AxesByScale(node, x, scales));
  return ResizeAxes(node, x, axes, method);
}

absl::Status Resize(Node& node) {
  if (node.opset() < 11) return Upsample(node);
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  Attributes& attributes = node.attributes();
  Method method;
  method.mode = attributes.Text("mode", "nearest");
  method.coordinates = attributes.Text("coordinate_transformation_mode", "half_pixel");
  method.nearest = attributes.Text("nearest_mode", "round_prefer_floor");
  method.cubic = attributes.Float("cubic_coeff_a", -0.75f);
  method.exclude_outside = attributes.Flag("exclude_outside", false);
  // Of tf_crop_and_resize, which is refused.
  attributes.Float("extrapolation_value", 0);
  if (method.mode != "nearest" && method.mode != "linear" && method.mode != "cubic") {
    return node.Refuse(absl::StrCat("with the mode '", method.mode, "'"));
  }
  constexpr const char* kCoordinates[] = {"half_pixel",           "pytorch_half_pixel",
                                          "align_corners",        "asymmetric",
                                          "tf_half_pixel_for_nn", "half_pixel_symmetric"};
  if (std::find(std::begin(kCoordinates), std::end(kCoordinates), method.coordinates) ==
      std::end(kCoordinates)) {
    return node.Refuse(absl::StrCat("with the coordinates '", method.coordinates, "'"));
  }
  constexpr const char* kNearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  if (std::find(std::begin(kNearest), std::end(kNearest), method.nearest) == std::end(kNearest)) {
    return node.Refuse(absl::StrCat("with the nearest mode '", method.nearest, "'"));
  }
  if (attributes.Flag("antialias", false) && method.mode != "nearest") {
    return node.Refuse("with antialias");
  }
  if (attributes.Text("keep_aspect_ratio_policy", "stretch") != "stretch") {
    return node.Refuse("that keeps the aspect ratio");
  }
  Sizes all(x.sizes.size());
  std::iota(all.begin(), all.end(), 0);
  ASSAY_ASSIGN_OR_RETURN(const Sizes named, node.Axes(attributes.Ints("axes", all), x.rank()));
  // An empty tensor stands for a missing one too.
  std::vector<double> scales;
  if (node.Has(2)) {
    ASSAY_ASSIGN_OR_RETURN(const at::Tensor given, node.Constant(2, "scales"));
    const at::Tensor wide = given.to(at::kDouble).reshape({-1}).contiguous();
    scales.assign(wide.data_ptr<double>(), wide.data_ptr<double>() + wide.numel());
  }
  std::vector<Axis> axes;
  if (!scales.empty()) {
    if (scales.size() != named.size()) return node.Refuse("it does not scale every axis");
    std::vector<double> every(x.sizes.size(), 1);
    for (size_t i = 0; i < named.size(); ++i) every[static_cast<size_t>(named[i])] = scales[i];
    ASSAY_ASSIGN_OR_RETURN(axes, AxesByScale(node, x, every));
    for (const Axis& axis : axes) {
      // The length that corners are aligned with may be a fraction or an integer then.
      const double length = static_cast<double>(axis.in) * axis.scale;
      if (method.coordinates == "align_corners" && length != std::floor(length)) {
        return node.Refuse("with aligned corners to a fraction of pixels");
      }
    }
  } else {
    ASSAY_ASSIGN_OR_RETURN(const Sizes sizes, node.Integers(3, "sizes"));
    if (sizes.size() != named.size()) return node.Refuse("it does not size every axis");
    for (const int64_t size : x.sizes) axes.push_back({size, size, 1});
    for (size_t i = 0; i < named.size(); ++i) {
      Axis& axis = axes[static_cast<size_t>(named[i])];
      axis.out = sizes[i];
      axis.scale = static_cast<double>(axis.out) / static_cast<double>(axis.in);
    }
  }
  return ResizeAxes(node, x, axes, method);
}

}  // namespace

OperatorGroup ResizeOperators() { return {{"Resize", Resize}, {"Upsample", Upsample}}; }

}  // namespace assay::engine::onnx
