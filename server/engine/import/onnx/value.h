// Values of an ONNX graph during import: what is known of them, and the rule that frees the batch.
//
// The graph is read as it is for one image. A file whose batch is symbolic and one that fixes it to
// one are the same then: every shape is known, and what is computed from shapes becomes constants.
// The module is for any number N of images all the same, by this invariant:
//
//   a value that depends on the image has a batch axis. Of an image alone it has o c elements on
//   that axis (`batch_outer` o); in the module it has o N c, which are, in this order, o times
//   those of the first image, c of them, then those of the second, and so on.
//
// With o = 1 that is the concatenation of the images' values, as of the input on its axis 0, where
// an image has size 1. A reshape to windows or heads makes c larger; the layers of a transformer
// that works on S x N x E flatten that to rows, of which o = S are between two images. Every
// operator keeps the invariant, which is said where it is not obvious, or refuses to be imported so
// ("works across the batch"): then the graph is imported once more for the batch that the file has,
// without batch axes, and is run image by image.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_ONNX_VALUE_H_
#define ASSAY_SERVER_ENGINE_IMPORT_ONNX_VALUE_H_

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace torch::jit {
struct Value;
}

namespace assay::engine::onnx {

using Sizes = std::vector<int64_t>;

// The batch axis of constants, and of everything where the batch is not freed.
constexpr int64_t kNone = -1;

// What a tensor looks like, for one image.
struct Form {
  Sizes sizes;
  at::ScalarType type = at::kFloat;
  int64_t batch_axis = kNone;
  int64_t batch_outer = 1;

  int64_t rank() const { return static_cast<int64_t>(sizes.size()); }
  int64_t size(int64_t axis) const { return sizes[static_cast<size_t>(axis)]; }
  bool floating_point() const { return type == at::kFloat; }
};

struct Value : Form {
  // What a constant is; undefined if the value depends on the image.
  at::Tensor known;
  // In the graph of the module, of values that depend on the image.
  torch::jit::Value* node = nullptr;
  // Of a constant: what it is called in the file, or "".
  std::string name;

  bool constant() const { return known.defined(); }
  const Form& form() const { return *this; }
};

// A constant.
inline Value Known(const at::Tensor& tensor, std::string name = "") {
  Value value;
  value.sizes = tensor.sizes().vec();
  value.type = tensor.scalar_type();
  value.known = tensor;
  value.name = std::move(name);
  return value;
}

// An argument of an ATen operator: a tensor, a list of tensors, or something known.
struct Operand {
  enum class Kind { kTensor, kTensors, kLiteral };

  Operand(const Value& value) : kind(Kind::kTensor), values{value} {}                  // NOLINT
  Operand(std::vector<Value> list) : kind(Kind::kTensors), values(std::move(list)) {}  // NOLINT
  Operand(c10::IValue known) : literal(std::move(known)) {}                            // NOLINT
  Operand(int64_t number) : literal(number) {}                                         // NOLINT
  Operand(double number) : literal(number) {}                                          // NOLINT
  Operand(bool flag) : literal(flag) {}                                                // NOLINT
  Operand(const Sizes& list) : literal(list) {}                                        // NOLINT

  Kind kind = Kind::kLiteral;
  std::vector<Value> values;
  c10::IValue literal;
};
inline Operand None() { return Operand(c10::IValue()); }

}  // namespace assay::engine::onnx

#endif  // ASSAY_SERVER_ENGINE_IMPORT_ONNX_VALUE_H_
