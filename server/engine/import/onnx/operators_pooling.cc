// Pooling.
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/onnx/operators.h"
#include "server/engine/import/onnx/windows.h"

namespace assay::engine::onnx {
namespace {

Form Pooled(const Value& x, const Windows& windows) {
  Form form = x.form();
  std::copy(windows.count.begin(), windows.count.end(), form.sizes.begin() + 2);
  return form;
}

// Padding that LibTorch's pooling takes: as much on both sides, and no more than half a window.
bool IsNative(const Windows& windows) {
  if (!windows.symmetric()) return false;
  for (size_t axis = 0; axis < windows.axes(); ++axis) {
    if (2 * windows.before[axis] > windows.kernel[axis]) return false;
  }
  return true;
}

// As much behind each axis that the last window ends with it, and `x` is pooled without ceil_mode.
Sizes Reach(const Value& x, const Windows& windows) {
  Sizes after;
  for (size_t axis = 0; axis < windows.axes(); ++axis) {
    const int64_t end = (windows.count[axis] - 1) * windows.stride[axis] + windows.span(axis) -
                        windows.before[axis];
    after.push_back(end - x.size(static_cast<int64_t>(axis) + 2));
  }
  return after;
}

absl::Status MaxPool(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(Value x, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(Windows windows,
                         ReadWindows(node, x, node.attributes().RequiredInts("kernel_shape")));
  // Only the second output, which is not supported, depends on it.
  node.attributes().Int("storage_order", 0);
  const Form form = Pooled(x, windows);
  if (!IsNative(windows)) {
    // Padding never is the maximum; a window without an element of the image is.
    ASSAY_ASSIGN_OR_RETURN(
        x, node.Pad(x, BehindChannels(windows.before), BehindChannels(Reach(x, windows)),
                    -std::numeric_limits<double>::infinity()));
    windows.before.assign(windows.axes(), 0);
    windows.overhanging = false;
  }
  return node.Output(node.Call(
      ForAxes("max_pool", windows),
      {x, windows.kernel, windows.stride, windows.before, windows.dilation, windows.overhanging},
      form));
}

// Sums of windows over `x` with zeros around.
absl::StatusOr<Value> WindowSums(Node& node, const Value& x, const Windows& windows) {
  ASSAY_ASSIGN_OR_RETURN(const Value padded, node.Pad(x, BehindChannels(windows.before),
                                                      BehindChannels(Reach(x, windows))));
  const int64_t one = 1;
  const Sizes none(windows.axes(), 0);
  // Without a divisor of its own, LibTorch's pooling of one axis only averages.
  if (windows.axes() == 1) {
    ASSAY_ASSIGN_OR_RETURN(
        const Value average,
        node.Call("aten::avg_pool1d", {padded, windows.kernel, windows.stride, none, false, true},
                  Pooled(x, windows)));
    return node.Same("aten::mul", {average, static_cast<double>(windows.kernel[0])});
  }
  return node.Call(ForAxes("avg_pool", windows),
                   {padded, windows.kernel, windows.stride, none, false, true, one},
                   Pooled(x, windows));
}

absl::Status AveragePool(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(const Windows windows,
                         ReadWindows(node, x, node.attributes().RequiredInts("kernel_shape")));
  const bool count_padding = node.attributes().Flag("count_include_pad", false);
  if (windows.dilated()) return node.Refuse("with dilations");
  const bool padded = std::any_of(windows.before.begin(), windows.before.end(),
                                  [](int64_t size) { return size > 0; });
  if (IsNative(windows)) {
    std::vector<Operand> arguments = {x,
                                      windows.kernel,
                                      windows.stride,
                                      windows.before,
                                      windows.overhanging,
                                      count_padding || !padded};
    if (windows.axes() > 1) arguments.push_back(None());
    return node.Output(node.Call(ForAxes("avg_pool", windows), arguments, Pooled(x, windows)));
  }
  // The sum of each window divided by how many elements of the image are in it, or also of the
  // padding, which ends before what hangs over.
  ASSAY_ASSIGN_OR_RETURN(const Value sums, WindowSums(node, x, windows));
  Sizes line = x.sizes;
  line[0] = line[1] = 1;
  ASSAY_RETURN_IF_ERROR(Emitter::CheckSizes(line).ok() ? absl::OkStatus()
                                                       : node.Refuse("its input is too large"));
  Value ones = Known(at::ones(line));
  Windows counted = windows;
  if (count_padding) {
    ASSAY_ASSIGN_OR_RETURN(
        ones, node.Pad(ones, BehindChannels(windows.before), BehindChannels(windows.after), 1));
    counted.before.assign(windows.axes(), 0);
  }
  ASSAY_ASSIGN_OR_RETURN(const Value counts, WindowSums(node, ones, counted));
  if (counts.known.lt(0.5).any().item<bool>()) {
    return node.Refuse("a window without an element of the image");
  }
  return node.Output(node.Binary("aten::div", sums, counts));
}

// N x C x ..., and the axes behind the channels.
struct Global {
  Value x;
  Sizes axes;
  Form form;
};

absl::StatusOr<Global> ReadGlobal(Node& node) {
  Global global;
  ASSAY_ASSIGN_OR_RETURN(global.x, node.Input(0));
  if (global.x.rank() < 3 || !global.x.floating_point()) {
    return node.Refuse("of other than N x C and more axes");
  }
  global.form = global.x.form();
  for (int64_t axis = 2; axis < global.x.rank(); ++axis) {
    ASSAY_RETURN_IF_ERROR(node.Apart(global.x, axis));
    global.axes.push_back(axis);
    global.form.sizes[static_cast<size_t>(axis)] = 1;
  }
  return global;
}

absl::Status GlobalAveragePool(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Global global, ReadGlobal(node));
  if (global.x.rank() == 4) {
    return node.Output(
        node.Call("aten::adaptive_avg_pool2d", {global.x, Sizes{1, 1}}, global.form));
  }
  return node.Output(node.Call("aten::mean", {global.x, global.axes, true}, global.form));
}

absl::Status GlobalMaxPool(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Global global, ReadGlobal(node));
  return node.Output(node.Call("aten::amax", {global.x, global.axes, true}, global.form));
}

}  // namespace

OperatorGroup PoolingOperators() {
  return {{"MaxPool", MaxPool},
          {"AveragePool", AveragePool},
          {"GlobalAveragePool", GlobalAveragePool},
          {"GlobalMaxPool", GlobalMaxPool}};
}

}  // namespace assay::engine::onnx
