// Operators that make constants, also from the shape of what depends on the image.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/onnx/operators.h"
#include "server/engine/import/onnx/tensor.h"

namespace assay::engine::onnx {
namespace {

absl::Status Constant(Node& node) {
  Attributes& attributes = node.attributes();
  if (const wire::TensorProto* const proto = attributes.Tensor("value")) {
    const auto tensor = ToTensor(*proto);
    if (!tensor.ok()) return node.Refuse(tensor.status().message());
    return node.Output(Known(*tensor));
  }
  if (attributes.Has("value_float")) {
    return node.Output(Known(at::full({}, attributes.Float("value_float", 0))));
  }
  if (attributes.Has("value_int")) {
    return node.Output(Known(at::full({}, attributes.Int("value_int", 0), at::kLong)));
  }
  if (attributes.Has("value_floats")) {
    return node.Output(Known(at::tensor(attributes.Floats("value_floats"), at::kFloat)));
  }
  if (attributes.Has("value_ints")) {
    return node.Output(Known(at::tensor(attributes.Ints("value_ints", {}), at::kLong)));
  }
  return node.Refuse("of text or of a sparse tensor");
}

absl::Status ConstantOfShape(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Sizes sizes, node.Integers(0, "shape"));
  at::Tensor value = at::zeros({1});
  if (const wire::TensorProto* const proto = node.attributes().Tensor("value")) {
    const auto given = ToTensor(*proto);
    if (!given.ok()) return node.Refuse(given.status().message());
    if (given->numel() != 1) return node.Refuse("its value is not one number");
    value = given->reshape({1});
  }
  // Through Expand, which counts how much is made in all.
  Form form;
  form.sizes = sizes;
  form.type = value.scalar_type();
  if (sizes.empty()) return node.Output(Known(value.reshape({})));
  return node.Output(node.Call("aten::expand", {Known(value), sizes}, form));
}

// Of one image, so that it is a constant, and Reshape frees what is made of it (value.h).
absl::Status Shape(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  const int64_t rank = x.rank();
  const auto clamped = [&](int64_t index) {
    return std::clamp<int64_t>(index < 0 ? index + rank : index, 0, rank);
  };
  const int64_t start = clamped(node.attributes().Int("start", 0));
  const int64_t end = std::max(start, clamped(node.attributes().Int("end", rank)));
  return node.Output(
      Known(at::tensor(Sizes(x.sizes.begin() + start, x.sizes.begin() + end), at::kLong)));
}

absl::Status Size(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Value x, node.Input(0));
  return node.Output(Known(at::full({}, Emitter::Count(x.sizes), at::kLong)));
}

absl::Status Range(Node& node) {
  double bounds[3];
  const char* const names[] = {"start", "limit", "delta"};
  at::ScalarType type = at::kLong;
  for (size_t i = 0; i < 3; ++i) {
    ASSAY_ASSIGN_OR_RETURN(const at::Tensor tensor, node.Constant(i, names[i]));
    if (i > 0 && tensor.scalar_type() != type) return node.Refuse("of different types");
    type = tensor.scalar_type();
    ASSAY_ASSIGN_OR_RETURN(bounds[i], node.Number(i, names[i]));
  }
  node.attributes().Int("stash_type", 1);
  if (type != at::kFloat && type != at::kLong && type != at::kInt)
    return node.Refuse("of this type");
  const double count = std::max(0.0, std::ceil((bounds[1] - bounds[0]) / bounds[2]));
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (!(count <= double{1 << 24}) || !(std::abs(bounds[0]) <= kExact) ||
      !(std::abs(bounds[2]) <= kExact)) {
    return node.Refuse("of such numbers");
  }
  const at::Tensor steps = at::arange(static_cast<int64_t>(count), at::kDouble);
  return node.Output(Known((steps * bounds[2] + bounds[0]).to(type)));
}

}  // namespace

OperatorGroup ConstantOperators() {
  return {{"Constant", Constant},
          {"ConstantOfShape", ConstantOfShape},
          {"Shape", Shape},
          {"Size", Size},
          {"Range", Range}};
}

}  // namespace assay::engine::onnx
