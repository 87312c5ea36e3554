// Calls of ATen operators during import: on constants at once, on what depends on the image in the
// module that is being built.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_ONNX_EMITTER_H_
#define ASSAY_SERVER_ENGINE_IMPORT_ONNX_EMITTER_H_

#include <torch/script.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/import/base/module_builder.h"
#include "server/engine/import/onnx/value.h"

namespace assay::engine::onnx {

// Throws what LibTorch throws.
class Emitter {
 public:
  // With `batch` 0, for any number of images; else for exactly `batch` of them, and the module
  // raises an error for others.
  Emitter(int64_t batch, int64_t channels, int64_t height, int64_t width);

  // Whether the module takes any number of images (value.h).
  bool free() const { return batch_ == 0; }
  const Value& images() const { return images_; }

  // The result of "aten::..." with these arguments, which has this form. The batch axis of
  // constants is left out of their form.
  absl::StatusOr<Value> Call(const std::string& aten, const std::vector<Operand>& arguments,
                             const Form& form,
                             const std::vector<std::pair<std::string, Operand>>& named = {});

  // `constant` once for each image, along `axis`, which has size 1.
  Value Repeated(const Value& constant, int64_t axis);

  // The operator that made `value` was a permutation of axes (of `source`).
  struct Permutation {
    Value source;
    Sizes axes;
  };
  void NotePermutation(const Value& value, Permutation permutation);
  // nullptr without.
  const Permutation* PermutationOf(const Value& value) const;

  // kInvalidModel unless a tensor of these sizes may be made.
  static absl::Status CheckSizes(const Sizes& sizes);
  // Of sizes that are known to be small enough.
  static int64_t Count(const Sizes& sizes);

  torch::jit::Module Build(const Value& logits) &&;

 private:
  torch::jit::NamedValue ToNamed(const Operand& operand);
  torch::jit::Value* NodeOf(const Value& value);
  absl::StatusOr<at::Tensor> Fold(const std::string& aten, const std::vector<Operand>& arguments,
                                  const std::vector<std::pair<std::string, Operand>>& named);

  const int64_t batch_;
  ModuleBuilder builder_;
  Value images_;
  // The number of images as an integer of the graph, once it was needed.
  torch::jit::Value* count_ = nullptr;
  // Constants that the module holds, each once.
  struct Held {
    at::Tensor tensor;
    torch::jit::Value* node = nullptr;
  };
  std::map<const c10::TensorImpl*, Held> held_;
  std::map<const torch::jit::Value*, Permutation> permutations_;
  // Of results that were computed during import, in all.
  int64_t folded_bytes_ = 0;
};

}  // namespace assay::engine::onnx

#endif  // ASSAY_SERVER_ENGINE_IMPORT_ONNX_EMITTER_H_
