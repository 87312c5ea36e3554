// Reductions along axes, and sums that run along one.
#include <ATen/ATen.h>

#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/onnx/operators.h"

namespace assay::engine::onnx {
namespace {

struct Reduced {
  Value x;
  Sizes axes;
  bool keep = true;
  Form form;
  // With no axes at all, an operator may be asked to do nothing.
  bool nothing = false;
};

// `axes_since`: the opset from which axes are an input.
absl::StatusOr<Reduced> ReadReduction(Node& node, int64_t axes_since) {
  Reduced reduced;
  ASSAY_ASSIGN_OR_RETURN(reduced.x, node.Input(0));
  const Value& x = reduced.x;
  reduced.keep = node.attributes().Flag("keepdims", true);
  Sizes axes;
  if (node.opset() < axes_since) {
    axes = node.attributes().Ints("axes", {});
  } else {
    reduced.nothing = node.attributes().Flag("noop_with_empty_axes", false);
    if (node.Has(1)) {
      ASSAY_ASSIGN_OR_RETURN(axes, node.Integers(1, "axes"));
    }
  }
  ASSAY_ASSIGN_OR_RETURN(reduced.axes, node.Axes(axes, x.rank()));
  std::sort(reduced.axes.begin(), reduced.axes.end());
  reduced.nothing = reduced.nothing && reduced.axes.empty();
  if (reduced.nothing) return reduced;
  if (reduced.axes.empty()) {
    for (int64_t axis = 0; axis < x.rank(); ++axis) reduced.axes.push_back(axis);
  }
  reduced.form.type = x.type;
  reduced.form.batch_outer = x.batch_outer;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    const bool gone =
        std::find(reduced.axes.begin(), reduced.axes.end(), axis) != reduced.axes.end();
    if (gone) ASSAY_RETURN_IF_ERROR(node.Apart(x, axis));
    if (axis == x.batch_axis) reduced.form.batch_axis = reduced.form.rank();
    if (!gone) reduced.form.sizes.push_back(x.size(axis));
    if (gone && reduced.keep) reduced.form.sizes.push_back(1);
  }
  return reduced;
}

// The reduction by `aten`, which takes axes and whether to keep them.
absl::StatusOr<Value> Reduce(Node& node, const Reduced& reduced, const Value& x, const char* aten) {
  // A number has nothing to reduce.
  if (reduced.axes.empty()) return x;
  return node.Call(aten, {x, reduced.axes, reduced.keep}, reduced.form);
}

absl::StatusOr<Reduced> Floats(Node& node, int64_t axes_since) {
  ASSAY_ASSIGN_OR_RETURN(Reduced reduced, ReadReduction(node, axes_since));
  if (!reduced.x.floating_point()) return node.Refuse("of other types than floating point");
  return reduced;
}

absl::Status ReduceMean(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Reduced reduced, Floats(node, 18));
  if (reduced.nothing) return node.Output(reduced.x);
  return node.Output(Reduce(node, reduced, reduced.x, "aten::mean"));
}

// Sums of integers are constants, and have the type of their terms.
absl::Status ReduceSum(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Reduced reduced, ReadReduction(node, 13));
  if (reduced.nothing) return node.Output(reduced.x);
  if (reduced.x.type == at::kBool || reduced.x.type == at::kByte) {
    return node.Refuse("of this type");
  }
  if (reduced.axes.empty()) return node.Output(reduced.x);
  return node.Output(node.Call("aten::sum", {reduced.x, reduced.axes, reduced.keep}, reduced.form,
                               {{"dtype", static_cast<int64_t>(reduced.x.type)}}));
}

absl::Status Extreme(Node& node, const char* aten) {
  ASSAY_ASSIGN_OR_RETURN(const Reduced reduced, ReadReduction(node, 18));
  if (reduced.nothing) return node.Output(reduced.x);
  if (reduced.x.constant() && reduced.x.known.numel() == 0) return node.Refuse("of nothing");
  return node.Output(Reduce(node, reduced, reduced.x, aten));
}
absl::Status ReduceMax(Node& node) { return Extreme(node, "aten::amax"); }
absl::Status ReduceMin(Node& node) { return Extreme(node, "aten::amin"); }

// One axis after the other, the last ones first so that the others keep their numbers.
absl::Status ReduceProd(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Reduced reduced, ReadReduction(node, 18));
  Value x = reduced.x;
  if (reduced.nothing) return node.Output(x);
  if (x.type == at::kBool || x.type == at::kByte) return node.Refuse("of this type");
  for (auto axis = reduced.axes.rbegin(); axis != reduced.axes.rend(); ++axis) {
    Form form = x.form();
    if (reduced.keep) {
      form.sizes[static_cast<size_t>(*axis)] = 1;
    } else {
      form.sizes.erase(form.sizes.begin() + *axis);
      if (form.batch_axis > *axis) --form.batch_axis;
    }
    ASSAY_ASSIGN_OR_RETURN(x, node.Call("aten::prod", {x, *axis, reduced.keep}, form,
                                        {{"dtype", static_cast<int64_t>(x.type)}}));
  }
  return node.Output(x);
}

absl::Status Norm(Node& node, double p) {
  ASSAY_ASSIGN_OR_RETURN(const Reduced reduced, Floats(node, 18));
  if (reduced.nothing || reduced.axes.empty()) {
    return node.Output(node.Same("aten::abs", {reduced.x}));
  }
  return node.Output(
      node.Call("aten::norm", {reduced.x, p, reduced.axes, reduced.keep}, reduced.form));
}
absl::Status ReduceL1(Node& node) { return Norm(node, 1); }
absl::Status ReduceL2(Node& node) { return Norm(node, 2); }

absl::Status ReduceSumSquare(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Reduced reduced, Floats(node, 18));
  ASSAY_ASSIGN_OR_RETURN(const Value square, node.Binary("aten::mul", reduced.x, reduced.x));
  if (reduced.nothing) return node.Output(square);
  return node.Output(Reduce(node, reduced, square, "aten::sum"));
}

absl::Status ReduceLogSum(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Reduced reduced, Floats(node, 18));
  Value sum = reduced.x;
  if (!reduced.nothing) {
    ASSAY_ASSIGN_OR_RETURN(sum, Reduce(node, reduced, reduced.x, "aten::sum"));
  }
  return node.Output(node.Same("aten::log", {sum}));
}

absl::Status ReduceLogSumExp(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(const Reduced reduced, Floats(node, 18));
  if (reduced.nothing) return node.Output(reduced.x);
  return node.Output(Reduce(node, reduced, reduced.x, "aten::logsumexp"));
}

// --- indices

absl::Status ArgExtreme(Node& node, const char* aten) {
  ASSAY_ASSIGN_OR_RETURN(Value x, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(const int64_t axis, node.Axis(node.attributes().Int("axis", 0), x.rank()));
  const bool keep = node.attributes().Flag("keepdims", true);
  const bool last = node.attributes().Flag("select_last_index", false);
  ASSAY_RETURN_IF_ERROR(node.Apart(x, axis));
  const int64_t size = x.size(axis);
  if (size == 0) return node.Refuse("of nothing");
  if (last) {
    ASSAY_ASSIGN_OR_RETURN(x, node.Same("aten::flip", {x, Sizes{axis}}));
  }
  Form form = x.form();
  form.type = at::kLong;
  if (keep) {
    form.sizes[static_cast<size_t>(axis)] = 1;
  } else {
    form.sizes.erase(form.sizes.begin() + axis);
    if (form.batch_axis > axis) --form.batch_axis;
  }
  ASSAY_ASSIGN_OR_RETURN(const Value index, node.Call(aten, {x, axis, keep}, form));
  if (!last) return node.Output(index);
  return node.Output(node.Same("aten::rsub", {index, size - 1}));
}
absl::Status ArgMax(Node& node) { return ArgExtreme(node, "aten::argmax"); }
absl::Status ArgMin(Node& node) { return ArgExtreme(node, "aten::argmin"); }

absl::Status CumSum(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(Value x, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(const double given, node.Number(1, "axis"));
  ASSAY_ASSIGN_OR_RETURN(const int64_t axis,
                         node.Axis(static_cast<int64_t>(std::clamp(given, -1e9, 1e9)), x.rank()));
  const bool exclusive = node.attributes().Flag("exclusive", false);
  const bool reverse = node.attributes().Flag("reverse", false);
  if (x.type == at::kBool) return node.Refuse("of booleans");
  ASSAY_RETURN_IF_ERROR(node.Apart(x, axis));
  const auto reversed = [&](const Value& value) -> absl::StatusOr<Value> {
    if (!reverse) return value;
    return node.Same("aten::flip", {value, Sizes{axis}});
  };
  ASSAY_ASSIGN_OR_RETURN(x, reversed(x));
  if (exclusive) {
    // The sums of those before: a zero goes in at the front.
    Sizes before(x.sizes.size(), 0), after(x.sizes.size(), 0);
    before[static_cast<size_t>(axis)] = 1;
    after[static_cast<size_t>(axis)] = -1;
    ASSAY_ASSIGN_OR_RETURN(x, node.Pad(x, before, after));
  }
  ASSAY_ASSIGN_OR_RETURN(const Value sums, node.Call("aten::cumsum", {x, axis}, x.form(),
                                                     {{"dtype", static_cast<int64_t>(x.type)}}));
  return node.Output(reversed(sums));
}

}  // namespace

OperatorGroup ReductionOperators() {
  return {
      {"ReduceMean", ReduceMean},
      {"ReduceSum", ReduceSum},
      {"ReduceMax", ReduceMax},
      {"ReduceMin", ReduceMin},
      {"ReduceProd", ReduceProd},
      {"ReduceL1", ReduceL1},
      {"ReduceL2", ReduceL2},
      {"ReduceSumSquare", ReduceSumSquare},
      {"ReduceLogSum", ReduceLogSum},
      {"ReduceLogSumExp", ReduceLogSumExp},
      {"ArgMax", ArgMax},
      {"ArgMin", ArgMin},
      {"CumSum", CumSum},
  };
}

}  // namespace assay::engine::onnx
