#include "server/engine/import/onnx/windows.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine::onnx {

absl::StatusOr<Sizes> AxisList(Node& node, const std::string& name, size_t axes, int64_t otherwise,
                               int64_t least) {
  constexpr int64_t kMost = int64_t{1} << 24;
  const Sizes list = node.attributes().Ints(name, Sizes(axes, otherwise));
  if (list.size() != axes || std::any_of(list.begin(), list.end(), [&](int64_t number) {
        return number < least || number > kMost;
      })) {
    return node.Refuse(
        absl::StrCat("its ", name, " are not ", axes, " numbers of ", least, " or more"));
  }
  return list;
}

absl::StatusOr<Windows> ReadWindows(Node& node, const Value& x, const Sizes& kernel) {
  if (x.rank() < 3 || x.rank() > 5) {
    return node.Refuse("of other than N x C and one to three axes more");
  }
  if (!x.floating_point()) return node.Refuse("of integers");
  ASSAY_RETURN_IF_ERROR(node.BatchFirst(x));
  const auto axes = static_cast<size_t>(x.rank() - 2);
  if (kernel.size() != axes || std::any_of(kernel.begin(), kernel.end(), [](int64_t size) {
        return size < 1 || size > (1 << 24);
      })) {
    return node.Refuse("its kernel does not have one size for each axis");
  }
  Windows windows;
  windows.kernel = kernel;
  ASSAY_ASSIGN_OR_RETURN(windows.stride, AxisList(node, "strides", axes, 1, 1));
  ASSAY_ASSIGN_OR_RETURN(windows.dilation, AxisList(node, "dilations", axes, 1, 1));
  ASSAY_ASSIGN_OR_RETURN(const Sizes pads, AxisList(node, "pads", 2 * axes, 0, 0));
  const std::string automatic = node.attributes().Text("auto_pad", "NOTSET");
  const bool upper = automatic == "SAME_UPPER", lower = automatic == "SAME_LOWER";
  const bool explicit_pads = automatic == "NOTSET" || automatic.empty();
  if (!explicit_pads && !upper && !lower && automatic != "VALID") {
    return node.Refuse(absl::StrCat("with auto_pad '", automatic, "'"));
  }
  windows.overhanging = node.attributes().Flag("ceil_mode", false) && explicit_pads;
  for (size_t axis = 0; axis < axes; ++axis) {
    const int64_t size = x.size(static_cast<int64_t>(axis) + 2);
    const int64_t stride = windows.stride[axis], span = windows.span(axis);
    int64_t before = 0, after = 0;
    if (explicit_pads) {
      before = pads[axis];
      after = pads[axes + axis];
    } else if (upper || lower) {
      const int64_t wanted = (size - 1) / stride + 1;
      const int64_t padding = std::max<int64_t>(0, (wanted - 1) * stride + span - size);
      before = upper ? padding / 2 : padding - padding / 2;
      after = padding - before;
    }
    const int64_t room = size + before + after - span;
    if (room < 0) return node.Refuse("its windows are larger than the padded image");
    int64_t count = room / stride + 1;
    // A window that would begin behind the image and the padding before it is left out.
    if (windows.overhanging && room % stride != 0 && count * stride < size + before) ++count;
    windows.before.push_back(before);
    windows.after.push_back(after);
    windows.count.push_back(count);
  }
  return windows;
}

std::string ForAxes(const std::string& name, const Windows& windows) {
  return absl::StrCat("aten::", name, windows.axes(), "d");
}

Sizes BehindChannels(const Sizes& sizes) {
  Sizes all = {0, 0};
  all.insert(all.end(), sizes.begin(), sizes.end());
  return all;
}

}  // namespace assay::engine::onnx
