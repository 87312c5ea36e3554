// Windows that slide over the axes behind N x C: kernel, stride, dilation and padding as the
// attributes of convolutions and pooling give them.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_ONNX_WINDOWS_H_
#define ASSAY_SERVER_ENGINE_IMPORT_ONNX_WINDOWS_H_

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/import/onnx/node.h"

namespace assay::engine::onnx {

// One entry for each axis.
struct Windows {
  Sizes kernel, stride, dilation;
  // Padding before the first element and behind the last.
  Sizes before, after;
  // How many windows there are.
  Sizes count;
  // The last window may end behind the padding (pooling's ceil_mode).
  bool overhanging = false;

  size_t axes() const { return kernel.size(); }
  // The elements that a window spans on an axis.
  int64_t span(size_t axis) const { return dilation[axis] * (kernel[axis] - 1) + 1; }
  bool symmetric() const { return before == after; }
  bool dilated() const {
    return std::any_of(dilation.begin(), dilation.end(), [](int64_t step) { return step != 1; });
  }
};

// A list attribute with one number for each of `axes` axes within [`least`, 2^24].
absl::StatusOr<Sizes> AxisList(Node& node, const std::string& name, size_t axes, int64_t otherwise,
                               int64_t least);

// Of an operator on `x`, N x C x ..., whose windows are of size `kernel`.
absl::StatusOr<Windows> ReadWindows(Node& node, const Value& x, const Sizes& kernel);

// "aten::NAME1d", "2d" or "3d".
std::string ForAxes(const std::string& name, const Windows& windows);

// `before` and `after` for all axes of N x C x ...
Sizes BehindChannels(const Sizes& sizes);

}  // namespace assay::engine::onnx

#endif  // ASSAY_SERVER_ENGINE_IMPORT_ONNX_WINDOWS_H_
