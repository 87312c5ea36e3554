// Convolutions and transposed convolutions.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/onnx/operators.h"
#include "server/engine/import/onnx/windows.h"

namespace assay::engine::onnx {
namespace {

struct Weights {
  Value weight;
  Operand bias = None();
  int64_t groups = 1;
};

// Weights whose axis `out` has the output channels (those of one group in a transposed convolution,
// `transposed`).
absl::StatusOr<Weights> ReadWeights(Node& node, const Value& x, bool transposed) {
  Weights weights;
  ASSAY_ASSIGN_OR_RETURN(weights.weight, node.Input(1));
  const Value& weight = weights.weight;
  if (!weight.constant()) return node.Refuse("with weights that depend on the image");
  if (!weight.floating_point() || weight.rank() != x.rank() || weight.rank() < 3 ||
      weight.known.numel() == 0) {
    return node.Refuse("its weights do not have one axis for each of the input's");
  }
  weights.groups = node.attributes().Int("group", 1);
  const int64_t groups = weights.groups;
  if (groups < 1 || weight.size(0) % groups != 0 ||
      x.size(1) != (transposed ? weight.size(0) : weight.size(1) * groups)) {
    return node.Refuse(absl::StrCat("an input of ", x.size(1), " channels, weights of ",
                                    weight.size(0), " x ", weight.size(1), " and ", groups,
                                    " groups"));
  }
  if (node.Has(2)) {
    ASSAY_ASSIGN_OR_RETURN(const Value bias, node.Input(2));
    if (!bias.constant() || !bias.floating_point() || bias.rank() != 1 ||
        bias.size(0) != (transposed ? weight.size(1) * groups : weight.size(0))) {
      return node.Refuse("its bias is not one constant for each output channel");
    }
    weights.bias = bias;
  }
  const Sizes kernel(weight.sizes.begin() + 2, weight.sizes.end());
  if (node.attributes().Ints("kernel_shape", kernel) != kernel) {
    return node.Refuse("its kernel_shape is not that of its weights");
  }
  return weights;
}

absl::Status Conv(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(Value x, node.Input(0));
  if (x.rank() < 3) return node.Refuse("of other than N x C and one to three axes more");
  ASSAY_ASSIGN_OR_RETURN(const Weights weights, ReadWeights(node, x, /*transposed=*/false));
  const Sizes kernel(weights.weight.sizes.begin() + 2, weights.weight.sizes.end());
  ASSAY_ASSIGN_OR_RETURN(const Windows windows, ReadWindows(node, x, kernel));
  if (windows.overhanging) return node.Refuse("with ceil_mode");
  Form form = x.form();
  form.sizes[1] = weights.weight.size(0);
  std::copy(windows.count.begin(), windows.count.end(), form.sizes.begin() + 2);
  Sizes padding = windows.before;
  if (!windows.symmetric()) {
    ASSAY_ASSIGN_OR_RETURN(
        x, node.Pad(x, BehindChannels(windows.before), BehindChannels(windows.after)));
    padding.assign(padding.size(), 0);
  }
  return node.Output(node.Call(
      ForAxes("conv", windows),
      {x, weights.weight, weights.bias, windows.stride, padding, windows.dilation, weights.groups},
      form));
}

absl::Status ConvTranspose(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  if (x.rank() < 3 || x.rank() > 5 || !x.floating_point()) {
    return node.Refuse("of other than N x C and one to three axes more");
  }
  ASSAY_RETURN_IF_ERROR(node.BatchFirst(x));
  ASSAY_ASSIGN_OR_RETURN(const Weights weights, ReadWeights(node, x, /*transposed=*/true));
  const auto axes = static_cast<size_t>(x.rank() - 2);
  Windows windows;
  windows.kernel.assign(weights.weight.sizes.begin() + 2, weights.weight.sizes.end());
  ASSAY_ASSIGN_OR_RETURN(windows.stride, AxisList(node, "strides", axes, 1, 1));
  ASSAY_ASSIGN_OR_RETURN(windows.dilation, AxisList(node, "dilations", axes, 1, 1));
  ASSAY_ASSIGN_OR_RETURN(const Sizes extra, AxisList(node, "output_padding", axes, 0, 0));
  ASSAY_ASSIGN_OR_RETURN(const Sizes pads, AxisList(node, "pads", 2 * axes, 0, 0));
  const std::string automatic = node.attributes().Text("auto_pad", "NOTSET");
  const bool upper = automatic == "SAME_UPPER", lower = automatic == "SAME_LOWER";
  const bool explicit_pads = automatic == "NOTSET" || automatic.empty();
  if (!explicit_pads && !upper && !lower && automatic != "VALID") {
    return node.Refuse(absl::StrCat("with auto_pad '", automatic, "'"));
  }
  const bool shaped = node.attributes().Has("output_shape");
  Sizes wanted = node.attributes().Ints("output_shape", Sizes(axes, 0));
  // Some files have the batch and channels in front.
  if (wanted.size() == axes + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  if (wanted.size() != axes) return node.Refuse("its output_shape has other axes");
  Sizes full = x.sizes, cut_before(axes), cut_after(axes);
  full[1] = weights.weight.size(1) * weights.groups;
  for (size_t axis = 0; axis < axes; ++axis) {
    if (extra[axis] >= std::max(windows.stride[axis], windows.dilation[axis])) {
      return node.Refuse("its output_padding is not less than its stride");
    }
    const int64_t size = x.size(static_cast<int64_t>(axis) + 2);
    const int64_t whole = windows.stride[axis] * (size - 1) + extra[axis] + windows.span(axis);
    if (!shaped && (upper || lower)) wanted[axis] = size * windows.stride[axis];
    if (shaped || upper || lower) {
      const int64_t cut = whole - wanted[axis];
      if (cut < 0 || wanted[axis] < 1) {
        return node.Refuse("its output_shape is larger than its windows reach");
      }
      // Which side an odd one goes to changed between versions where auto_pad is not given.
      if (cut % 2 != 0 && !upper && !lower) {
        return node.Refuse("an output_shape that leaves an odd padding without auto_pad");
      }
      cut_before[axis] = upper ? cut / 2 : cut - cut / 2;
      cut_after[axis] = cut - cut_before[axis];
    } else if (explicit_pads) {
      cut_before[axis] = pads[axis];
      cut_after[axis] = pads[axes + axis];
    }
    full[axis + 2] = whole;
  }
  // LibTorch cuts off as much on both sides; what differs is cut off afterwards.
  const bool symmetric = cut_before == cut_after;
  Form form = x.form();
  form.sizes = full;
  for (size_t axis = 0; symmetric && axis < axes; ++axis) {
    form.sizes[axis + 2] -= 2 * cut_before[axis];
  }
  ASSAY_ASSIGN_OR_RETURN(Value result, node.Call(ForAxes("conv_transpose", windows),
                                                 {x, weights.weight, weights.bias, windows.stride,
                                                  symmetric ? cut_before : Sizes(axes, 0), extra,
                                                  weights.groups, windows.dilation},
                                                 form));
  for (size_t axis = 0; !symmetric && axis < axes; ++axis) {
    const int64_t begin = cut_before[axis], end = full[axis + 2] - cut_after[axis];
    if (begin >= end) return node.Refuse("its pads leave nothing");
    ASSAY_ASSIGN_OR_RETURN(result, node.Slice(result, static_cast<int64_t>(axis) + 2, begin, end));
  }
  return node.Output(result);
}

}  // namespace

OperatorGroup ConvolutionOperators() { return {{"Conv", Conv}, {"ConvTranspose", ConvTranspose}}; }

}  // namespace assay::engine::onnx
