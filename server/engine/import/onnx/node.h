// One ONNX node as the implementations of operators see it (operators.h), and what they share:
// moving, broadcasting and naming errors, all of it with the batch freed (value.h).
#ifndef ASSAY_SERVER_ENGINE_IMPORT_ONNX_NODE_H_
#define ASSAY_SERVER_ENGINE_IMPORT_ONNX_NODE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/engine/import/onnx/attributes.h"
#include "server/engine/import/onnx/emitter.h"
#include "server/engine/import/onnx/value.h"

namespace assay::engine::onnx {

class Node {
 public:
  Node(const wire::NodeProto& proto, int64_t opset, std::vector<std::optional<Value>> inputs,
       Attributes attributes, Emitter& emitter);

  const std::string& type() const { return type_; }
  // The version of the operators of the node's domain.
  int64_t opset() const { return opset_; }
  Attributes& attributes() { return attributes_; }
  Emitter& emitter() { return emitter_; }

  // --- inputs and outputs

  size_t input_count() const { return inputs_.size(); }
  // Whether the input is there: optional ones may be left out, or have the name "".
  bool Has(size_t i) const { return i < inputs_.size() && inputs_[i].has_value(); }
  // An error where it is not there.
  absl::StatusOr<Value> Input(size_t i) const;
  // All inputs, each of which has to be there.
  absl::StatusOr<std::vector<Value>> Inputs() const;
  // An input that must not depend on the image.
  absl::StatusOr<at::Tensor> Constant(size_t i, absl::string_view what) const;
  // A constant of integers, of rank 0 or 1.
  absl::StatusOr<Sizes> Integers(size_t i, absl::string_view what) const;
  // A constant of one number.
  absl::StatusOr<double> Number(size_t i, absl::string_view what) const;

  size_t output_count() const { return outputs_.size(); }
  absl::Status Output(absl::StatusOr<Value> value, size_t i = 0);
  // What was set; nullopt where it was not.
  const std::vector<std::optional<Value>>& outputs() const { return outputs_; }

  // --- errors

  // kInvalidModel: "Conv 'name': `what`".
  absl::Status Refuse(absl::string_view what) const;
  // The invariant of value.h cannot be kept.
  absl::Status MixesImages(absl::string_view what);
  bool mixes_images() const { return mixes_images_; }
  // MixesImages unless `axis` is another axis than the batch's.
  absl::Status Apart(const Value& value, int64_t axis);
  // MixesImages unless the first axis is the batch's, as layers that work on N x C x ... need it.
  absl::Status BatchFirst(const Value& value);

  // --- shapes

  // 0 <= result < rank, of an axis that may count from the end.
  absl::StatusOr<int64_t> Axis(int64_t axis, int64_t rank) const;
  absl::StatusOr<std::vector<int64_t>> Axes(const Sizes& axes, int64_t rank) const;
  // What values become together, as in numpy.
  absl::StatusOr<Form> Broadcast(const std::vector<Value>& values, at::ScalarType type);

  // --- calls

  absl::StatusOr<Value> Call(const std::string& aten, const std::vector<Operand>& arguments,
                             const Form& form,
                             const std::vector<std::pair<std::string, Operand>>& named = {});
  // "aten::add", "aten::mul" and so on of two operands that are broadcast.
  absl::StatusOr<Value> Binary(const std::string& aten, const Value& left, const Value& right);
  // An operator that keeps the form of its first argument.
  absl::StatusOr<Value> Same(const std::string& aten, const std::vector<Operand>& arguments);

  absl::StatusOr<Value> Reshape(const Value& value, const Sizes& sizes);
  absl::StatusOr<Value> Permute(const Value& value, const Sizes& axes);
  // Elements [begin, end) of an axis, every `step`-th.
  absl::StatusOr<Value> Slice(const Value& value, int64_t axis, int64_t begin, int64_t end,
                              int64_t step = 1);
  // The elements of an axis with these indices, which are within.
  absl::StatusOr<Value> Select(const Value& value, int64_t axis, const Sizes& indices);
  // Zeros (or `fill`) before and after every axis; negative counts cut off. Both have one entry for
  // each axis.
  absl::StatusOr<Value> Pad(const Value& value, const Sizes& before, const Sizes& after,
                            double fill = 0);
  absl::StatusOr<Value> Concat(std::vector<Value> values, int64_t axis);
  // Broadcast to `sizes`, which is as large or larger.
  absl::StatusOr<Value> Expand(const Value& value, const Sizes& sizes);
  absl::StatusOr<Value> Cast(const Value& value, at::ScalarType type);

 private:
  const std::string type_, name_;
  const int64_t opset_;
  const std::vector<std::optional<Value>> inputs_;
  Attributes attributes_;
  Emitter& emitter_;
  std::vector<std::optional<Value>> outputs_;
  bool mixes_images_ = false;
};

}  // namespace assay::engine::onnx

#endif  // ASSAY_SERVER_ENGINE_IMPORT_ONNX_NODE_H_
