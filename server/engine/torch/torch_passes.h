// One pass of images through a module: forward, and forward with the gradient by the images. Each
// may run a form of the module of its own.
#ifndef ASSAY_SERVER_ENGINE_TORCH_TORCH_PASSES_H_
#define ASSAY_SERVER_ENGINE_TORCH_TORCH_PASSES_H_

#include <torch/script.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/base/classifier.h"
#include "server/engine/import/read_model.h"
#include "server/engine/validation/model_validation.h"

namespace assay::engine {

// What the module raises is kModelFailed or kOutOfMemory. Passes may run on several threads at
// once.
class TorchPasses {
 public:
  // Runs the module of the file, on its device.
  TorchPasses(const ImportedModel& file, const Shape& shape, const at::Device& device)
      : shape_(shape),
        device_(device),
        writes_to_input_(file.writes_to_input),
        forward_{file.module},
        gradient_(forward_) {}

  // A form of the module, and the memory format and type of the images that it gets.
  struct Form {
    torch::jit::Module module;
    at::MemoryFormat format = at::MemoryFormat::Contiguous;
    at::ScalarType type = at::kFloat;
  };
  void set_forward(const Form& form) { forward_ = form; }
  void set_gradient(const Form& form) { gradient_ = form; }
  const Form& gradient() const { return gradient_; }
  // Needed before any logits are copied.
  void set_num_classes(int num_classes) { num_classes_ = num_classes; }
  int num_classes() const { return num_classes_; }

  // As ModelPasses has them; kModelOutputInvalid for anything but a tensor, and for logits that are
  // not rows x num_classes.
  absl::StatusOr<OutputForm> Look(const float* images, int rows);
  absl::Status Forward(const float* images, int rows, float* logits);
  absl::Status ForwardBackward(const float* images, int rows,
                               const Classifier::LogitGradient& logit_gradient, float* logits,
                               float* gradient);

 private:
  at::Tensor Input(const Form& form, const float* images, int rows) const;
  absl::Status CheckLogits(const at::Tensor& logits, int rows) const;

  const Shape shape_;
  const at::Device device_;
  const bool writes_to_input_;
  Form forward_, gradient_;
  int num_classes_ = 0;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_TORCH_PASSES_H_
