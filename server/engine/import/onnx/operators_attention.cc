// Attention (opset 23 and later), by its definition: softmax(scale Q K^T + mask) V.
#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "core/base/errors.h"
#include "server/engine/import/onnx/operators.h"

namespace assay::engine::onnx {
namespace {

// N x S x (heads D) as N x heads x S x D.
absl::StatusOr<Value> SplitHeads(Node& node, const Value& x, int64_t heads) {
  if (x.rank() == 4) return x;
  if (x.rank() != 3 || heads < 1 || x.size(2) % heads != 0) {
    return node.Refuse("its inputs do not divide into heads");
  }
  ASSAY_RETURN_IF_ERROR(node.BatchFirst(x));
  ASSAY_ASSIGN_OR_RETURN(const Value split,
                         node.Reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}));
  return node.Permute(split, {0, 2, 1, 3});
}

// Each head `repeats` times, one after the other: query heads share those of keys and values.
absl::StatusOr<Value> RepeatHeads(Node& node, const Value& x, int64_t repeats) {
  Sizes indices;
  for (int64_t head = 0; head < x.size(1) * repeats; ++head) indices.push_back(head / repeats);
  if (repeats == 1) return x;
  return node.Select(x, 1, indices);
}

absl::Status Attention(Node& node) {
  ASSAY_ASSIGN_OR_RETURN(Value q, node.Input(0));
  ASSAY_ASSIGN_OR_RETURN(Value k, node.Input(1));
  ASSAY_ASSIGN_OR_RETURN(Value v, node.Input(2));
  for (const Value* input : {&q, &k, &v}) {
    if (!input->floating_point()) return node.Refuse("of other types than floating point");
  }
  for (size_t i = 4; i < 7; ++i) {
    if (node.Has(i)) return node.Refuse("with a cache of keys and values");
  }
  Attributes& attributes = node.attributes();
  const bool flat = q.rank() == 3;
  const int64_t q_heads = attributes.Int("q_num_heads", 0);
  const int64_t kv_heads = attributes.Int("kv_num_heads", 0);
  const bool causal = attributes.Flag("is_causal", false);
  const double softcap = attributes.Float("softcap", 0);
  attributes.Int("softmax_precision", 1);      // that of the module
  attributes.Int("qk_matmul_output_mode", 0);  // of an output that is not supported
  if (attributes.Int("left_window_size", -1) != -1 ||
      attributes.Int("right_window_size", -1) != -1) {
    return node.Refuse("within a sliding window");
  }
  ASSAY_ASSIGN_OR_RETURN(q, SplitHeads(node, q, q_heads));
  ASSAY_ASSIGN_OR_RETURN(k, SplitHeads(node, k, kv_heads));
  ASSAY_ASSIGN_OR_RETURN(v, SplitHeads(node, v, kv_heads));
  if (q.rank() != 4 || k.rank() != 4 || v.rank() != 4) return node.Refuse("of other than 4 axes");
  if (k.size(1) < 1 || q.size(1) % k.size(1) != 0 || v.size(1) != k.size(1) ||
      q.size(3) != k.size(3) || k.size(2) != v.size(2)) {
    return node.Refuse("of queries, keys and values with shapes that do not go together");
  }
  const int64_t repeats = q.size(1) / k.size(1);
  ASSAY_ASSIGN_OR_RETURN(k, RepeatHeads(node, k, repeats));
  ASSAY_ASSIGN_OR_RETURN(v, RepeatHeads(node, v, repeats));
  const int64_t queries = q.size(2), keys = k.size(2);
  const double scale =
      attributes.Float("scale", static_cast<float>(1 / std::sqrt(static_cast<double>(q.size(3)))));
  ASSAY_ASSIGN_OR_RETURN(const Value transposed, node.Permute(k, {0, 1, 3, 2}));
  for (const Value* input : {&q, &k, &v}) {
    ASSAY_RETURN_IF_ERROR(node.Apart(*input, 2));
    ASSAY_RETURN_IF_ERROR(node.Apart(*input, 3));
  }
  const auto outer = [](Value value) {
    value.sizes.resize(2);
    return value;
  };
  ASSAY_ASSIGN_OR_RETURN(Form form, node.Broadcast({outer(q), outer(k), outer(v)}, at::kFloat));
  form.sizes.push_back(queries);
  form.sizes.push_back(keys);
  ASSAY_ASSIGN_OR_RETURN(const Value scaled, node.Same("aten::mul", {q, scale}));
  ASSAY_ASSIGN_OR_RETURN(Value scores, node.Call("aten::matmul", {scaled, transposed}, form));
  if (softcap != 0) {
    ASSAY_ASSIGN_OR_RETURN(const Value ratio, node.Same("aten::div", {scores, softcap}));
    ASSAY_ASSIGN_OR_RETURN(const Value bent, node.Same("aten::tanh", {ratio}));
    ASSAY_ASSIGN_OR_RETURN(scores, node.Same("aten::mul", {bent, softcap}));
  }
  const at::Tensor negative = at::full({}, -std::numeric_limits<float>::infinity());
  if (causal) {
    ASSAY_RETURN_IF_ERROR(Emitter::CheckSizes({queries, keys}).ok() ? absl::OkStatus()
                                                                    : node.Refuse("of this size"));
    const at::Tensor allowed = at::ones({queries, keys}, at::kBool).tril();
    const Value mask = Known(at::where(allowed, at::zeros({}), negative));
    ASSAY_ASSIGN_OR_RETURN(scores, node.Binary("aten::add", scores, mask));
  }
  if (node.Has(3)) {
    ASSAY_ASSIGN_OR_RETURN(Value mask, node.Input(3));
    if (!mask.constant()) return node.Refuse("with a mask that depends on the image");
    if (mask.rank() < 2 || mask.size(mask.rank() - 1) != keys) {
      return node.Refuse("with a mask of another length than the keys");
    }
    if (mask.type == at::kBool) mask = Known(at::where(mask.known, at::zeros({}), negative));
    if (!mask.floating_point()) return node.Refuse("with a mask of integers");
    ASSAY_ASSIGN_OR_RETURN(scores, node.Binary("aten::add", scores, mask));
    if (scores.sizes != form.sizes) return node.Refuse("with a mask that is too large");
    // A query that may look at nothing has the result zero; softmax would give no number.
    if (mask.known.eq(negative).all(-1).any().item<bool>()) {
      return node.Refuse("with a mask that leaves nothing to look at");
    }
  }
  ASSAY_ASSIGN_OR_RETURN(const Value weights,
                         node.Same("aten::softmax", {scores, int64_t{-1}, None()}));
  form.sizes[3] = v.size(3);
  ASSAY_ASSIGN_OR_RETURN(const Value result, node.Call("aten::matmul", {weights, v}, form));
  if (!flat) return node.Output(result);
  ASSAY_ASSIGN_OR_RETURN(const Value rows, node.Permute(result, {0, 2, 1, 3}));
  return node.Output(node.Reshape(rows, {rows.size(0), rows.size(1), rows.size(2) * rows.size(3)}));
}

}  // namespace

OperatorGroup AttentionOperators() { return {{"Attention", Attention}}; }

}  // namespace assay::engine::onnx
