// Operators that move, repeat, leave out or join elements.
#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/onnx/operators.h"
#include "server/engine/import/onnx/tensor.h"

namespace assay::engine::onnx {
namespace {

absl::Status Identity(Node& node) { return node.Output(node.Input(0)); }

absl::Status Dropout(Node& node) {
  // The ratio and the seed say nothing of evaluation.
  node.attributes().Int("seed", 0);
  if (node.opset() < 12) node.attributes().Float("ratio", 0.5f);
  if (node.Has(2)) {
    ASSAY_ASSIGN_OR_RETURN(const double training, node.Number(2, "training_mode"));
    if (training != 0) {
      return node.Refuse("in training mode; export the model in evaluation mode (model.eval())");
    }
  }
  return Identity(node);
}

absl::Status CastTo(Node& node, at::ScalarType type) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  // They say how other types than ours are rounded.
  node.attributes().Int("saturate", 1);
  node.attributes().Text("round_mode", "up");
  return node.Output(node.Cast(x, type));
}

absl::Status Cast(Node& node) {
  const int64_t to = node.attributes().RequiredInt("to");
  if (to < 0 || to > 1000) return node.Refuse("to an unknown type");
  const auto type = ElementType(static_cast<int32_t>(to));
  if (!type.ok()) {
    return node.Refuse(absl::StrCat("to ", ElementTypeName(static_cast<int32_t>(to))));
  }
  return CastTo(node, *type);
}

absl::Status CastLike(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value like, node.Input(1));
  return CastTo(node, like.type);
}

absl::Status Reshape(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(Sizes sizes, node.Integers(1, "shape"));
  const bool zero_is_zero = node.attributes().Flag("allowzero", false);
  int64_t known = 1;
  size_t unknown = sizes.size();
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0 && !zero_is_zero) {
      if (i >= x.sizes.size()) return node.Refuse("its shape copies an axis that is not there");
      sizes[i] = x.sizes[i];
    }
    if (sizes[i] == -1) {
      if (unknown < sizes.size()) return node.Refuse("its shape has more than one -1");
      unknown = i;
      continue;
    }
    if (sizes[i] < 0 || sizes[i] > kMostElements || (known > kMostElements)) {
      return node.Refuse("its shape has sizes that cannot be");
    }
    known *= sizes[i];
  }
  if (unknown < sizes.size()) {
    const int64_t count = Emitter::Count(x.sizes);
    if (known == 0 || count % known != 0) return node.Refuse("its shape has another size than -1");
    sizes[unknown] = count / known;
  }
  return node.Output(node.Reshape(x, sizes));
}

absl::Status Flatten(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  int64_t axis = node.attributes().Int("axis", 1);
  if (axis < -x.rank() || axis > x.rank()) return node.Refuse("at an axis that is not there");
  if (axis < 0) axis += x.rank();
  const auto split = x.sizes.begin() + axis;
  return node.Output(node.Reshape(x, {Emitter::Count(Sizes(x.sizes.begin(), split)),
                                      Emitter::Count(Sizes(split, x.sizes.end()))}));
}

absl::Status Transpose(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  Sizes reversed(x.sizes.size());
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  ASSAY_ASSIGN_OR_RETURN(const Sizes axes,
                         node.Axes(node.attributes().Ints("perm", reversed), x.rank()));
  if (axes.size() != x.sizes.size()) return node.Refuse("its perm does not have every axis");
  return node.Output(node.Permute(x, axes));
}

// Axes are an attribute before opset 13, and an input since.
absl::StatusOr<Sizes> AxesOf(Node& node, int64_t rank) {
  Sizes axes;
  if (node.opset() < 13) {
    axes = node.attributes().Ints("axes", {});
  } else if (node.Has(1)) {
    ASSAY_ASSIGN_OR_RETURN(axes, node.Integers(1, "axes"));
  }
  return node.Axes(axes, rank);
}

absl::Status Squeeze(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(const Sizes axes, AxesOf(node, x.rank()));
  Sizes sizes;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    const bool named = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (named && x.size(axis) != 1) return node.Refuse("of an axis whose size is not 1");
    if (!(named || (axes.empty() && x.size(axis) == 1))) sizes.push_back(x.size(axis));
  }
  return node.Output(node.Reshape(x, sizes));
}

absl::Status Unsqueeze(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  Sizes given = node.opset() < 13 ? node.attributes().RequiredInts("axes") : Sizes();
  if (node.opset() >= 13) {
    ASSAY_ASSIGN_OR_RETURN(given, node.Integers(1, "axes"));
  }
  if (given.size() > 16) return node.Refuse("more than 16 axes");
  const int64_t rank = x.rank() + static_cast<int64_t>(given.size());
  ASSAY_ASSIGN_OR_RETURN(const Sizes axes, node.Axes(given, rank));
  Sizes sizes;
  auto next = x.sizes.begin();
  for (int64_t axis = 0; axis < rank; ++axis) {
    const bool is_new = std::find(axes.begin(), axes.end(), axis) != axes.end();
    sizes.push_back(is_new ? 1 : *next++);
  }
  return node.Output(node.Reshape(x, sizes));
}

absl::Status Concat(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<Value> values, node.Inputs());
  ASSAY_ASSIGN_OR_RETURN(const int64_t axis,
                         node.Axis(node.attributes().RequiredInt("axis"), values[0].rank()));
  return node.Output(node.Concat(values, axis));
}

absl::Status Split(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(const int64_t axis, node.Axis(node.attributes().Int("axis", 0), x.rank()));
  const int64_t size = x.size(axis);
  const auto parts = static_cast<int64_t>(node.output_count());
  Sizes lengths;
  if (node.opset() < 13) {
    lengths = node.attributes().Ints("split", {});
  } else if (node.Has(1)) {
    ASSAY_ASSIGN_OR_RETURN(lengths, node.Integers(1, "split"));
  }
  if (node.opset() >= 18 && node.attributes().Has("num_outputs") &&
      node.attributes().Int("num_outputs", 0) != parts) {
    return node.Refuse("its num_outputs is not the number of its outputs");
  }
  if (lengths.empty()) {
    // Equal parts, of which the last may be smaller since opset 18.
    const int64_t length = parts == 0 ? 0 : (size + parts - 1) / parts;
    if (node.opset() < 18 && length * parts != size) return node.Refuse("into unequal parts");
    for (int64_t i = 0; i < parts; ++i) lengths.push_back(std::min(length, size - i * length));
  }
  if (static_cast<int64_t>(lengths.size()) != parts) return node.Refuse("into other many parts");
  int64_t begin = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0 || lengths[i] > size - begin)
      return node.Refuse("into parts of other sizes");
    const int64_t end = begin + lengths[i];
    ASSAY_RETURN_IF_ERROR(node.Output(node.Slice(x, axis, begin, end), i));
    begin = end;
  }
  if (begin != size) return node.Refuse("into parts that are not all of it");
  return absl::OkStatus();
}

absl::Status Slice(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(Value x, node.Input(0));
  Sizes starts, ends, axes, steps;
  if (node.opset() < 10) {
    starts = node.attributes().RequiredInts("starts");
    ends = node.attributes().RequiredInts("ends");
    axes = node.attributes().Ints("axes", {});
  } else {
    ASSAY_ASSIGN_OR_RETURN(starts, node.Integers(1, "starts"));
    ASSAY_ASSIGN_OR_RETURN(ends, node.Integers(2, "ends"));
    if (node.Has(3)) {
      ASSAY_ASSIGN_OR_RETURN(axes, node.Integers(3, "axes"));
    }
    if (node.Has(4)) {
      ASSAY_ASSIGN_OR_RETURN(steps, node.Integers(4, "steps"));
    }
  }
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  ASSAY_ASSIGN_OR_RETURN(axes, node.Axes(axes, x.rank()));
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    return node.Refuse("its lists have different lengths");
  }
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis = axes[i], size = x.size(axis), step = steps[i];
    if (step == 0 || step == std::numeric_limits<int64_t>::min()) return node.Refuse("with step 0");
    const auto from_end = [&](int64_t index) { return index < 0 ? index + size : index; };
    if (step > 0) {
      const int64_t begin = std::clamp<int64_t>(from_end(starts[i]), 0, size);
      const int64_t end = std::clamp<int64_t>(from_end(ends[i]), begin, size);
      ASSAY_ASSIGN_OR_RETURN(x, node.Slice(x, axis, begin, end, std::min(step, size + 1)));
      continue;
    }
    const int64_t begin = std::clamp<int64_t>(from_end(starts[i]), -1, size - 1);
    const int64_t end = std::clamp<int64_t>(from_end(ends[i]), -1, begin);
    Sizes indices;
    for (int64_t index = begin; index > end; index += std::max(step, -size - 1)) {
      indices.push_back(index);
    }
    ASSAY_ASSIGN_OR_RETURN(x, node.Select(x, axis, indices));
  }
  return node.Output(x);
}

// The indices of an axis of `size` elements, counted from its front.
absl::StatusOr<at::Tensor> Indices(Node& node, size_t input, int64_t size) {
  ASSAY_ASSIGN_OR_RETURN(at::Tensor indices, node.Constant(input, "indices"));
  if (!c10::isIntegralType(indices.scalar_type(), /*includeBool=*/false)) {
    return node.Refuse("its indices are no integers");
  }
  indices = indices.to(at::kLong);
  indices = at::where(indices.lt(0), indices + size, indices);
  if (indices.lt(0).any().item<bool>() || indices.ge(size).any().item<bool>()) {
    return node.Refuse(absl::StrCat("an index outside of an axis of ", size));
  }
  return indices.contiguous();
}

absl::Status Gather(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(const int64_t axis, node.Axis(node.attributes().Int("axis", 0), x.rank()));
  ASSAY_ASSIGN_OR_RETURN(const at::Tensor indices, Indices(node, 1, x.size(axis)));
  Sizes sizes = x.sizes;
  const auto at = sizes.erase(sizes.begin() + axis);
  if (indices.dim() == 0) {
    // The only element of an axis: also that of the batch, which Reshape keeps.
    if (x.size(axis) == 1) return node.Output(node.Reshape(x, sizes));
    ASSAY_RETURN_IF_ERROR(node.Apart(x, axis));
    Form form = x.form();
    form.sizes = sizes;
    if (form.batch_axis > axis) --form.batch_axis;
    return node.Output(node.Call("aten::select", {x, axis, indices.item<int64_t>()}, form));
  }
  const at::Tensor flat = indices.reshape({-1}).contiguous();
  ASSAY_ASSIGN_OR_RETURN(
      const Value selected,
      node.Select(x, axis,
                  Sizes(flat.data_ptr<int64_t>(), flat.data_ptr<int64_t>() + flat.numel())));
  const at::IntArrayRef shape = indices.sizes();
  sizes.insert(at, shape.begin(), shape.end());
  return node.Output(node.Reshape(selected, sizes));
}

absl::Status GatherElements(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(const int64_t axis, node.Axis(node.attributes().Int("axis", 0), x.rank()));
  ASSAY_ASSIGN_OR_RETURN(const at::Tensor indices, Indices(node, 1, x.size(axis)));
  ASSAY_RETURN_IF_ERROR(node.Apart(x, axis));
  if (indices.dim() != x.rank()) return node.Refuse("its indices have another rank than its data");
  for (int64_t i = 0; i < x.rank(); ++i) {
    if (i != axis && indices.size(i) > x.size(i)) return node.Refuse("it has too many indices");
  }
  Value index = Known(indices);
  Form form = x.form();
  form.sizes = index.sizes;
  if (x.batch_axis != kNone) {
    if (x.size(x.batch_axis) != 1) return node.MixesImages("its indices are those of one image");
    index = node.emitter().Repeated(index, x.batch_axis);
  }
  return node.Output(node.Call("aten::gather", {x, axis, index}, form));
}

absl::Status Expand(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(Sizes sizes, node.Integers(1, "shape"));
  // Sizes of 1, and axes that the shape leaves out, stay as they are.
  while (sizes.size() < x.sizes.size()) sizes.insert(sizes.begin(), 1);
  const size_t shift = sizes.size() - x.sizes.size();
  for (size_t i = 0; i < x.sizes.size(); ++i) {
    if (sizes[i + shift] == 1) sizes[i + shift] = x.sizes[i];
  }
  return node.Output(node.Expand(x, sizes));
}

absl::Status Tile(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(const Sizes repeats, node.Integers(1, "repeats"));
  if (repeats.size() != x.sizes.size()) return node.Refuse("it does not repeat every axis");
  Form form = x.form();
  for (size_t i = 0; i < repeats.size(); ++i) {
    if (repeats[i] < 0 || repeats[i] > kMostElements) return node.Refuse("it repeats too often");
    if (repeats[i] != 1) ASSAY_RETURN_IF_ERROR(node.Apart(x, static_cast<int64_t>(i)));
    form.sizes[i] *= repeats[i];
  }
  if (form.sizes == x.sizes) return node.Output(x);
  return node.Output(node.Call("aten::repeat", {x, repeats}, form));
}

// --- padding

// The element that stands at position `i`, which may be outside of 0 ... size - 1.
int64_t Mirrored(int64_t i, int64_t size) {
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  const int64_t offset = ((i % period) + period) % period;
  return offset < size ? offset : period - offset;
}

absl::Status Pad(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(Value x, node.Input(0));
  const std::string mode = node.attributes().Text("mode", "constant");
  Sizes pads, axes(x.sizes.size());
  std::iota(axes.begin(), axes.end(), 0);
  double fill = 0;
  if (node.opset() < 11) {
    pads = node.attributes().RequiredInts("pads");
    fill = node.attributes().Float("value", 0);
  } else {
    ASSAY_ASSIGN_OR_RETURN(pads, node.Integers(1, "pads"));
    if (node.Has(2)) {
      ASSAY_ASSIGN_OR_RETURN(fill, node.Number(2, "constant_value"));
    }
    if (node.Has(3)) {
      ASSAY_ASSIGN_OR_RETURN(const Sizes given, node.Integers(3, "axes"));
      ASSAY_ASSIGN_OR_RETURN(axes, node.Axes(given, x.rank()));
    }
  }
  if (pads.size() != 2 * axes.size()) return node.Refuse("its pads are not two for each axis");
  Sizes before(x.sizes.size(), 0), after(x.sizes.size(), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    before[static_cast<size_t>(axes[i])] = pads[i];
    after[static_cast<size_t>(axes[i])] = pads[axes.size() + i];
  }
  if (mode == "constant") {
    if (!x.floating_point() && !x.constant()) return node.Refuse("of integers");
    return node.Output(node.Pad(x, before, after, fill));
  }
  if (mode != "reflect" && mode != "edge" && mode != "wrap") {
    return node.Refuse(absl::StrCat("with the mode '", mode, "'"));
  }
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    const int64_t size = x.size(axis);
    const int64_t first = before[static_cast<size_t>(axis)],
                  last = after[static_cast<size_t>(axis)];
    if (first == 0 && last == 0) continue;
    if (size == 0 || first < 0 || last < 0 || first > kMostElements || last > kMostElements) {
      return node.Refuse(absl::StrCat("with negative or too large pads in the mode ", mode));
    }
    if (mode == "reflect" && (first >= size || last >= size)) {
      return node.Refuse("it reflects further than its input reaches");
    }
    Sizes indices;
    for (int64_t i = -first; i < size + last; ++i) {
      indices.push_back(mode == "reflect" ? Mirrored(i, size)
                        : mode == "edge"  ? std::clamp<int64_t>(i, 0, size - 1)
                                          : ((i % size) + size) % size);
    }
    ASSAY_ASSIGN_OR_RETURN(x, node.Select(x, axis, indices));
  }
  return node.Output(x);
}

// --- blocks

// N x C x H x W and a block size that divides `depth` or height and width.
struct Blocks {
  Value x;
  int64_t size = 1;
  bool depth_first = true;
};

absl::StatusOr<Blocks> ReadBlocks(Node& node) {
  Blocks blocks;
  ASSAY_ASSIGN_OR_RETURN(blocks.x, node.Input(0));
  blocks.size = node.attributes().RequiredInt("blocksize");
  const std::string mode = node.attributes().Text("mode", "DCR");
  blocks.depth_first = mode == "DCR";
  if (blocks.x.rank() != 4 || blocks.size < 1 || blocks.size > (1 << 14) ||
      (mode != "DCR" && mode != "CRD")) {
    return node.Refuse("of other than N x C x H x W in blocks, with the mode DCR or CRD");
  }
  ASSAY_RETURN_IF_ERROR(node.BatchFirst(blocks.x));
  return blocks;
}

absl::Status DepthToSpace(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Blocks blocks, ReadBlocks(node));
  const Value& x = blocks.x;
  const int64_t b = blocks.size, n = x.size(0), h = x.size(2), w = x.size(3);
  if (x.size(1) % (b * b) != 0) return node.Refuse("its channels do not divide into blocks");
  const int64_t c = x.size(1) / (b * b);
  const Sizes apart = blocks.depth_first ? Sizes{n, b, b, c, h, w} : Sizes{n, c, b, b, h, w};
  const Sizes order = blocks.depth_first ? Sizes{0, 3, 4, 1, 5, 2} : Sizes{0, 1, 4, 2, 5, 3};
  ASSAY_ASSIGN_OR_RETURN(const Value split, node.Reshape(x, apart));
  ASSAY_ASSIGN_OR_RETURN(const Value moved, node.Permute(split, order));
  return node.Output(node.Reshape(moved, {n, c, h * b, w * b}));
}

absl::Status SpaceToDepth(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Blocks blocks, ReadBlocks(node));
  const Value& x = blocks.x;
  const int64_t b = blocks.size, n = x.size(0), c = x.size(1);
  if (x.size(2) % b != 0 || x.size(3) % b != 0) {
    return node.Refuse("its height and width do not divide into blocks");
  }
  const int64_t h = x.size(2) / b, w = x.size(3) / b;
  ASSAY_ASSIGN_OR_RETURN(const Value split, node.Reshape(x, {n, c, h, b, w, b}));
  const Sizes order = blocks.depth_first ? Sizes{0, 3, 5, 1, 2, 4} : Sizes{0, 1, 3, 5, 2, 4};
  ASSAY_ASSIGN_OR_RETURN(const Value moved, node.Permute(split, order));
  return node.Output(node.Reshape(moved, {n, c * b * b, h, w}));
}

absl::Status Trilu(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  int64_t diagonal = 0;
  if (node.Has(1)) {
    ASSAY_ASSIGN_OR_RETURN(const double given, node.Number(1, "k"));
    diagonal = static_cast<int64_t>(std::clamp(given, -1e9, 1e9));
  }
  const bool upper = node.attributes().Flag("upper", true);
  if (x.rank() < 2) return node.Refuse("of other than matrices");
  ASSAY_RETURN_IF_ERROR(node.Apart(x, x.rank() - 1));
  ASSAY_RETURN_IF_ERROR(node.Apart(x, x.rank() - 2));
  return node.Output(node.Same(upper ? "aten::triu" : "aten::tril", {x, diagonal}));
}

}  // namespace

OperatorGroup MovementOperators() {
  return {
      {"Identity", Identity},
      {"Dropout", Dropout},
      {"Cast", Cast},
      {"CastLike", CastLike},
      {"Reshape", Reshape},
      {"Flatten", Flatten},
      {"Transpose", Transpose},
      {"Squeeze", Squeeze},
      {"Unsqueeze", Unsqueeze},
      {"Concat", Concat},
      {"Split", Split},
      {"Slice", Slice},
      {"Gather", Gather},
      {"GatherElements", GatherElements},
      {"Expand", Expand},
      {"Tile", Tile},
      {"Pad", Pad},
      {"DepthToSpace", DepthToSpace},
      {"SpaceToDepth", SpaceToDepth},
      {"Trilu", Trilu},
  };
}

}  // namespace assay::engine::onnx
