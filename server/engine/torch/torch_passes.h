// One pass of images through a module: forward, and forward with the gradient by the images.
#ifndef ASSAY_SERVER_ENGINE_TORCH_TORCH_PASSES_H_
#define ASSAY_SERVER_ENGINE_TORCH_TORCH_PASSES_H_

#include <torch/script.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/base/classifier.h"
#include "server/engine/torch/torch_module.h"
#include "server/engine/validation/model_validation.h"

namespace assay::engine {

// What the module raises is kModelFailed or kOutOfMemory.
class TorchPasses {
 public:
  // Runs the module of the file, on its device.
  TorchPasses(const TorchModule& file, const Shape& shape, const at::Device& device)
      : shape_(shape),
        device_(device),
        writes_to_input_(file.writes_to_input),
        module_(file.module) {}

  torch::jit::Module& module() { return module_; }
  // Another form of the same module.
  void set_module(torch::jit::Module module) { module_ = std::move(module); }
  // Of the images that it gets.
  void set_format(at::MemoryFormat format) { format_ = format; }
  // Needed before any logits are copied.
  void set_num_classes(int num_classes) { num_classes_ = num_classes; }

  // As ModelPasses has them; kModelOutputInvalid for anything but a tensor, and for logits that are
  // not rows x num_classes.
  absl::StatusOr<OutputForm> Look(const float* images, int rows);
  absl::Status Forward(const float* images, int rows, float* logits);
  absl::Status ForwardBackward(const float* images, int rows,
                               const Classifier::LogitGradient& logit_gradient, float* logits,
                               float* gradient);

 private:
  at::Tensor Input(const float* images, int rows) const;
  absl::Status CheckLogits(const at::Tensor& logits, int rows) const;

  const Shape shape_;
  const at::Device device_;
  const bool writes_to_input_;
  torch::jit::Module module_;
  at::MemoryFormat format_ = at::MemoryFormat::Contiguous;
  int num_classes_ = 0;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_TORCH_PASSES_H_
