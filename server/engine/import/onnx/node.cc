#include "server/engine/import/onnx/node.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "server/engine/import/onnx/tensor.h"

namespace assay::engine::onnx {

Node::Node(const wire::NodeProto& proto, int64_t opset, std::vector<std::optional<Value>> inputs,
           Attributes attributes, Emitter& emitter)
    : type_(proto.op_type()),
      // Nodes may have no name; their outputs do.
      name_(proto.name().empty() && proto.output_size() > 0 ? proto.output(0) : proto.name()),
      opset_(opset),
      inputs_(std::move(inputs)),
      attributes_(std::move(attributes)),
      emitter_(emitter),
      outputs_(static_cast<size_t>(proto.output_size())) {}

// --- inputs and outputs

absl::StatusOr<Value> Node::Input(size_t i) const {
  if (!Has(i)) return Refuse(absl::StrCat("its input ", i, " is missing"));
  return *inputs_[i];
}

absl::StatusOr<std::vector<Value>> Node::Inputs() const {
  std::vector<Value> values;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    ASSAY_ASSIGN_OR_RETURN(Value value, Input(i));
    values.push_back(std::move(value));
  }
  if (values.empty()) return Refuse("it has no inputs");
  return values;
}

absl::StatusOr<at::Tensor> Node::Constant(size_t i, absl::string_view what) const {
  ASSAY_ASSIGN_OR_RETURN(const Value value, Input(i));
  if (!value.constant()) {
    return Refuse(absl::StrCat("its ", what, " depend on the image, which is not supported"));
  }
  return value.known;
}

absl::StatusOr<Sizes> Node::Integers(size_t i, absl::string_view what) const {
  ASSAY_ASSIGN_OR_RETURN(const at::Tensor tensor, Constant(i, what));
  if (tensor.dim() > 1 || !c10::isIntegralType(tensor.scalar_type(), /*includeBool=*/false)) {
    return Refuse(absl::StrCat("its ", what, " are no list of integers"));
  }
  const at::Tensor wide = tensor.to(at::kLong).reshape({-1}).contiguous();
  return Sizes(wide.data_ptr<int64_t>(), wide.data_ptr<int64_t>() + wide.numel());
}

absl::StatusOr<double> Node::Number(size_t i, absl::string_view what) const {
  ASSAY_ASSIGN_OR_RETURN(const at::Tensor tensor, Constant(i, what));
  if (tensor.numel() != 1) return Refuse(absl::StrCat("its ", what, " are not one number"));
  return tensor.to(at::kDouble).item<double>();
}

absl::Status Node::Output(absl::StatusOr<Value> value, size_t i) {
  ASSAY_RETURN_IF_ERROR(value.status());
  if (i >= outputs_.size()) return Refuse(absl::StrCat("its output ", i, " is missing"));
  outputs_[i] = *std::move(value);
  return absl::OkStatus();
}

// --- errors

absl::Status Node::Refuse(absl::string_view what) const {
  return Error(Reason::kInvalidModel,
               absl::StrCat("the ONNX operator ", type_, " (node '", name_, "'): ", what));
}

absl::Status Node::MixesImages(absl::string_view what) {
  mixes_images_ = true;
  return Refuse(absl::StrCat(what, ", which works across the batch"));
}

absl::Status Node::Apart(const Value& value, int64_t axis) {
  if (value.batch_axis == kNone || value.batch_axis != axis) return absl::OkStatus();
  return MixesImages(absl::StrCat("it works along axis ", axis));
}

absl::Status Node::BatchFirst(const Value& value) {
  if (value.batch_axis == kNone || value.batch_axis == 0) return absl::OkStatus();
  return MixesImages("the batch is not its first axis");
}

// --- shapes

absl::StatusOr<int64_t> Node::Axis(int64_t axis, int64_t rank) const {
  if (axis < -rank || axis >= rank) {
    return Refuse(absl::StrCat("axis ", axis, " of a tensor with ", rank, " axes"));
  }
  return axis < 0 ? axis + rank : axis;
}

absl::StatusOr<std::vector<int64_t>> Node::Axes(const Sizes& axes, int64_t rank) const {
  std::set<int64_t> unique;
  std::vector<int64_t> result;
  for (const int64_t axis : axes) {
    ASSAY_ASSIGN_OR_RETURN(const int64_t positive, Axis(axis, rank));
    if (!unique.insert(positive).second) return Refuse(absl::StrCat("axis ", axis, " twice"));
    result.push_back(positive);
  }
  return result;
}

absl::StatusOr<Form> Node::Broadcast(const std::vector<Value>& values, at::ScalarType type) {
  Form form;
  form.type = type;
  int64_t rank = 0;
  for (const Value& value : values) rank = std::max(rank, value.rank());
  form.sizes.assign(static_cast<size_t>(rank), 1);
  for (const Value& value : values) {
    const int64_t shift = rank - value.rank();
    for (int64_t axis = 0; axis < value.rank(); ++axis) {
      int64_t& size = form.sizes[static_cast<size_t>(axis + shift)];
      const int64_t other = value.size(axis);
      if (other == size || other == 1) continue;
      if (size != 1) {
        return Refuse(absl::StrCat("shapes that do not go together: size ", size, " and size ",
                                   other, " on axis ", axis + shift));
      }
      size = other;
    }
    if (value.batch_axis == kNone) continue;
    const int64_t batch_axis = value.batch_axis + shift;
    if (form.batch_axis != kNone &&
        (form.batch_axis != batch_axis || form.batch_outer != value.batch_outer)) {
      return MixesImages("its inputs have the batch on different axes");
    }
    form.batch_axis = batch_axis;
    form.batch_outer = value.batch_outer;
  }
  if (form.batch_axis == kNone) return form;
  // Along the batch axis every value that depends on the image has all of the elements for an
  // image, and constants have one, or else elements of different images would meet.
  const int64_t whole = form.size(form.batch_axis);
  for (const Value& value : values) {
    const int64_t axis = form.batch_axis - (rank - value.rank());
    if (value.batch_axis == kNone ? axis >= 0 && value.size(axis) != 1
                                  : value.size(axis) != whole) {
      return MixesImages("it broadcasts along the axis of the batch");
    }
  }
  return form;
}

// --- calls

absl::StatusOr<Value> Node::Call(const std::string& aten, const std::vector<Operand>& arguments,
                                 const Form& form,
                                 const std::vector<std::pair<std::string, Operand>>& named) {
  auto value = emitter_.Call(aten, arguments, form, named);
  if (!value.ok()) return Refuse(value.status().message());
  return value;
}

absl::StatusOr<Value> Node::Binary(const std::string& aten, const Value& left, const Value& right) {
  ASSAY_ASSIGN_OR_RETURN(const Form form, Broadcast({left, right}, left.type));
  return Call(aten, {left, right}, form);
}

absl::StatusOr<Value> Node::Same(const std::string& aten, const std::vector<Operand>& arguments) {
  return Call(aten, arguments, arguments.at(0).values.at(0).form());
}

namespace {

// Where the batch is after a reshape of `value` to `form.sizes`. Row by row a tensor is [P, N, R]:
// P elements, for each of them N images, and R elements of each. Any axis of the new shape that
// begins after a divisor of P and has the rest of it as its outer part leaves that as it is. Of
// several such axes, the one on which other operators most likely work image by image.
void PlaceBatch(const Value& value, Form& form) {
  const auto begin = value.sizes.begin(), old = begin + value.batch_axis;
  const int64_t before = std::accumulate(begin, old, value.batch_outer, std::multiplies<>());
  form.batch_axis = kNone;
  int best = std::numeric_limits<int>::max();
  int64_t product = 1;
  for (int64_t axis = 0; axis < form.rank(); product *= form.size(axis), ++axis) {
    if (before % product != 0 || form.size(axis) % (before / product) != 0) continue;
    const int64_t outer = before / product;
    const bool unchanged = axis == value.batch_axis && outer == 1 && value.batch_outer == 1 &&
                           std::equal(begin, old + 1, form.sizes.begin());
    const bool last = axis + 1 == form.rank();
    const int rank = unchanged                            ? 0
                     : outer == 1 && form.size(axis) == 1 ? 1
                     : outer == 1 && !last                ? 2
                     : !last                              ? 3
                                                          : 4;
    if (rank >= best) continue;
    best = rank;
    form.batch_axis = axis;
    form.batch_outer = outer;
  }
}

}  // namespace

absl::StatusOr<Value> Node::Reshape(const Value& value, const Sizes& sizes) {
  ASSAY_RETURN_IF_ERROR(Emitter::CheckSizes(sizes).ok()
                            ? absl::OkStatus()
                            : Refuse("it makes a tensor that is too large"));
  if (Emitter::Count(sizes) != Emitter::Count(value.sizes)) {
    return Refuse(absl::StrCat("a reshape from [", absl::StrJoin(value.sizes, ", "), "] to [",
                               absl::StrJoin(sizes, ", "), "]"));
  }
  if (sizes == value.sizes) return value;
  Form form = value.form();
  form.sizes = sizes;
  Sizes literal = sizes;
  if (value.batch_axis != kNone) {
    PlaceBatch(value, form);
    if (form.batch_axis == kNone) return MixesImages("it reshapes the axis of the batch");
    literal[static_cast<size_t>(form.batch_axis)] = -1;
  }
  return Call("aten::reshape", {value, literal}, form);
}

absl::StatusOr<Value> Node::Permute(const Value& value, const Sizes& axes) {
  // Permutations one after the other, as around layers of files that come from NHWC, are one.
  if (const Emitter::Permutation* const made = emitter_.PermutationOf(value)) {
    Sizes together;
    for (const int64_t axis : axes) together.push_back(made->axes[static_cast<size_t>(axis)]);
    return Permute(Value(made->source), together);
  }
  Form form = value.form();
  bool same = true;
  for (size_t i = 0; i < axes.size(); ++i) {
    form.sizes[i] = value.size(axes[i]);
    if (value.batch_axis == axes[i]) form.batch_axis = static_cast<int64_t>(i);
    same = same && axes[i] == static_cast<int64_t>(i);
  }
  if (same) return value;
  ASSAY_ASSIGN_OR_RETURN(const Value result, Call("aten::permute", {value, axes}, form));
  emitter_.NotePermutation(result, {value, axes});
  return result;
}

absl::StatusOr<Value> Node::Slice(const Value& value, int64_t axis, int64_t begin, int64_t end,
                                  int64_t step) {
  if (begin == 0 && end == value.size(axis) && step == 1) return value;
  ASSAY_RETURN_IF_ERROR(Apart(value, axis));
  Form form = value.form();
  form.sizes[static_cast<size_t>(axis)] = (end - begin + step - 1) / step;
  return Call("aten::slice", {value, axis, begin, end, step}, form);
}

absl::StatusOr<Value> Node::Select(const Value& value, int64_t axis, const Sizes& indices) {
  ASSAY_RETURN_IF_ERROR(Apart(value, axis));
  Form form = value.form();
  form.sizes[static_cast<size_t>(axis)] = static_cast<int64_t>(indices.size());
  return Call("aten::index_select", {value, axis, Known(at::tensor(indices, at::kLong))}, form);
}

absl::StatusOr<Value> Node::Pad(const Value& value, const Sizes& before, const Sizes& after,
                                double fill) {
  Form form = value.form();
  // LibTorch's list begins with the last axis.
  Sizes list;
  for (int64_t axis = value.rank() - 1; axis >= 0; --axis) {
    const auto i = static_cast<size_t>(axis);
    for (const int64_t count : {before[i], after[i]}) {
      if (count > kMostElements || count < -kMostElements)
        return Refuse("its padding is too large");
    }
    if (before[i] != 0 || after[i] != 0) ASSAY_RETURN_IF_ERROR(Apart(value, axis));
    form.sizes[i] += before[i] + after[i];
    list.push_back(before[i]);
    list.push_back(after[i]);
  }
  // Axes that stay as they are need not be named.
  while (list.size() >= 2 && list[list.size() - 1] == 0 && list[list.size() - 2] == 0) {
    list.resize(list.size() - 2);
  }
  if (list.empty()) return value;
  return Call("aten::constant_pad_nd", {value, list, fill}, form);
}

absl::StatusOr<Value> Node::Concat(std::vector<Value> values, int64_t axis) {
  if (values.size() == 1) return values[0];
  Form form = values[0].form();
  const Value* image = nullptr;
  for (const Value& value : values) {
    if (!value.constant() && image == nullptr) image = &value;
  }
  if (image != nullptr) {
    form.batch_axis = image->batch_axis;
    form.batch_outer = image->batch_outer;
  }
  form.sizes[static_cast<size_t>(axis)] = 0;
  for (Value& value : values) {
    if (value.type != form.type) return Refuse("it joins tensors of different types");
    if (value.rank() != form.rank()) return Refuse("it joins tensors of different ranks");
    for (int64_t i = 0; i < form.rank(); ++i) {
      if (i == axis) {
        form.sizes[static_cast<size_t>(i)] += value.size(i);
      } else if (value.size(i) != form.size(i)) {
        return Refuse(absl::StrCat("it joins tensors of different sizes on axis ", i));
      }
    }
    if (form.batch_axis == kNone) continue;
    if (form.batch_axis == axis) return MixesImages("it joins along the axis of the batch");
    if (!value.constant()) {
      if (value.batch_axis != form.batch_axis || value.batch_outer != form.batch_outer) {
        return MixesImages("its inputs have the batch on different axes");
      }
    } else if (value.size(form.batch_axis) == 1) {
      // For each image the same, such as a class token.
      value = emitter_.Repeated(value, form.batch_axis);
    } else {
      return MixesImages("it joins a constant that is not one for each image");
    }
  }
  return Call("aten::cat", {Operand(std::move(values)), axis}, form);
}

absl::StatusOr<Value> Node::Expand(const Value& value, const Sizes& sizes) {
  if (sizes == value.sizes) return value;
  ASSAY_RETURN_IF_ERROR(Emitter::CheckSizes(sizes).ok()
                            ? absl::OkStatus()
                            : Refuse("it makes a tensor that is too large"));
  Form form = value.form();
  form.sizes = sizes;
  Sizes literal = sizes;
  const int64_t shift = form.rank() - value.rank();
  for (int64_t axis = 0; axis < value.rank(); ++axis) {
    const int64_t size = value.size(axis);
    if (shift < 0 || (size != 1 && size != form.size(axis + shift))) {
      return Refuse("it expands to a shape that does not go with its input's");
    }
  }
  if (value.batch_axis != kNone) {
    form.batch_axis += shift;
    if (value.size(value.batch_axis) != form.size(form.batch_axis)) {
      return MixesImages("it expands the axis of the batch");
    }
    literal[static_cast<size_t>(form.batch_axis)] = -1;
  }
  return Call("aten::expand", {value, literal}, form);
}

absl::StatusOr<Value> Node::Cast(const Value& value, at::ScalarType type) {
  if (value.type == type) return value;
  Form form = value.form();
  form.type = type;
  return Call("aten::to", {value, static_cast<int64_t>(type), false, false}, form);
}

}  // namespace assay::engine::onnx
