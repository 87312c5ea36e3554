#include "server/engine/torch/torch_passes.h"

#include <torch/csrc/autograd/autograd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/base/torch_guard.h"

namespace assay::engine {
namespace {

constexpr char kRaised[] = "the model raised an error";

void CopyOut(const at::Tensor& tensor, float* out) {
  const at::Tensor flat = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  std::memcpy(out, flat.data_ptr<float>(), static_cast<size_t>(flat.numel()) * sizeof(float));
}

}  // namespace

at::Tensor TorchPasses::Input(const Form& form, const float* images, int rows) const {
  // Nobody writes to it: a model that might gets a copy, and gradients go elsewhere.
  const at::Tensor view = at::from_blob(const_cast<float*>(images),
                                        {rows, shape_.channels, shape_.height, shape_.width});
  return view.to(device_, form.type, /*non_blocking=*/false, /*copy=*/writes_to_input_,
                 form.format);
}

absl::Status TorchPasses::CheckLogits(const at::Tensor& logits, int rows) const {
  if (logits.dim() == 2 && logits.size(0) == rows && logits.size(1) == num_classes_) {
    return absl::OkStatus();
  }
  return Error(
      Reason::kModelOutputInvalid,
      absl::StrCat("for ", rows, " images the model returned logits of another shape than ", rows,
                   " x ", num_classes_));
}

absl::StatusOr<OutputForm> TorchPasses::Look(const float* images, int rows) {
  OutputForm form;
  ASSAY_RETURN_IF_ERROR(Guarded(Reason::kModelFailed, kRaised, [&] {
    c10::InferenceMode no_gradients;
    const c10::IValue value = forward_.module.forward({Input(forward_, images, rows)});
    if (!value.isTensor()) {
      return absl::Status(Error(Reason::kModelOutputInvalid,
                                absl::StrCat("the model returns a ", value.tagKind(),
                                             "; it must return one tensor of logits, N x K")));
    }
    const at::Tensor output = value.toTensor();
    if (output.defined()) form.sizes = output.sizes().vec();
    form.type = output.toString();
    form.floating_point = output.is_floating_point();
    form.float32 = output.scalar_type() == at::kFloat;
    return absl::OkStatus();
  }));
  return form;
}

absl::Status TorchPasses::Forward(const float* images, int rows, float* logits) {
  return Guarded(Reason::kModelFailed, kRaised, [&] {
    c10::InferenceMode no_gradients;
    const at::Tensor output = forward_.module.forward({Input(forward_, images, rows)}).toTensor();
    ASSAY_RETURN_IF_ERROR(CheckLogits(output, rows));
    CopyOut(output, logits);
    return absl::OkStatus();
  });
}

absl::Status TorchPasses::ForwardBackward(const float* images, int rows,
                                          const Classifier::LogitGradient& logit_gradient,
                                          float* logits, float* gradient) {
  return Guarded(Reason::kModelFailed, kRaised, [&] {
    at::AutoGradMode with_gradients(true);
    const at::Tensor input = Input(gradient_, images, rows).detach().requires_grad_(true);
    const at::Tensor output =
        gradient_.module.forward({writes_to_input_ ? input.clone() : input}).toTensor();
    ASSAY_RETURN_IF_ERROR(CheckLogits(output, rows));
    CopyOut(output, logits);
    at::Tensor derivative = at::zeros({rows, num_classes_}, at::kFloat);
    logit_gradient(logits, derivative.data_ptr<float>());
    at::Tensor result;
    if (output.requires_grad()) {
      result =
          torch::autograd::grad({output}, {input}, {derivative.to(device_, output.scalar_type())},
                                /*retain_graph=*/{}, /*create_graph=*/false,
                                /*allow_unused=*/true)[0];
    }
    // An output that does not depend on the input has gradient zero.
    if (!result.defined()) {
      std::memset(gradient, 0, static_cast<size_t>(rows) * shape_.size() * sizeof(float));
    } else {
      CopyOut(result, gradient);
    }
    return absl::OkStatus();
  });
}

}  // namespace assay::engine
