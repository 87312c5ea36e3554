// What every model shows before it is run for anybody: logits of the right shape, finite, the same
// every time, the same in any company and when frozen, and gradients that agree with finite
// differences. What makes a model useless is an error; what its owner should know is a warning in
// v1::ModelValidation.
//
// The checks see a model as functions, so they need no LibTorch:
//
//   ModelValidator validator(shape, passes, &validation);
//   ASSAY_RETURN_IF_ERROR(validator.CheckForm());    // now the passes may know the classes
//   ASSAY_RETURN_IF_ERROR(validator.CheckLogits());  // and so on, in the order below
#ifndef ASSAY_SERVER_ENGINE_VALIDATION_MODEL_VALIDATION_H_
#define ASSAY_SERVER_ENGINE_VALIDATION_MODEL_VALIDATION_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/models.pb.h"
#include "server/engine/base/classifier.h"

namespace assay::engine {

// The tensor that a model returned.
struct OutputForm {
  std::vector<int64_t> sizes;
  // As its library names it ("CPUDoubleType").
  std::string type;
  bool floating_point = true;
  bool float32 = true;
};

// A model, one pass of `rows` images at a time; whatever it raises is kModelFailed or kOutOfMemory.
struct ModelPasses {
  // First contact, when nothing is known yet of what it returns.
  std::function<absl::StatusOr<OutputForm>(const float* images, int rows)> look;
  // As Classifier's.
  std::function<absl::Status(const float* images, int rows, float* logits)> forward;
  std::function<absl::Status(const float* images, int rows,
                             const Classifier::LogitGradient& logit_gradient, float* logits,
                             float* gradient)>
      forward_backward;
};

// Deterministic images: noise around grey, the first one uniform grey.
std::vector<float> ProbeImages(const Shape& shape, int count);

// The checks of one model, to be called in this order.
class ModelValidator {
 public:
  // Writes what it finds into `validation`, which must outlive it.
  ModelValidator(Shape shape, ModelPasses passes, v1::ModelValidation* validation)
      : shape_(shape), passes_(std::move(passes)), validation_(*validation) {}

  // N x K floating-point numbers for N images. A model that takes batches of one size only is found
  // out here, and asked for nothing else from then on. kModelOutputInvalid, or what the model
  // raised.
  absl::Status CheckForm();
  // Finite, the same in every pass, and not yet softmaxed. kModelNotFinite where no probe has
  // finite logits.
  absl::Status CheckLogits();
  // `freeze` turns the passes into those of the frozen model, which folds constants and batch
  // norms; afterwards validation.frozen says whether they may stay that: whether logits and
  // gradients are those of the model as given.
  absl::Status CheckFreezing(const std::function<absl::Status()>& freeze);
  // `optimize` turns the forward passes into those of a form that cannot have gradients; returns
  // whether they agree with the model as given, and so may stay that.
  bool CheckForwardForm(const std::function<absl::Status()>& optimize);
  // Whether the logits of an image move with its company: batch norm in training mode,
  // normalisation by statistics of the batch. Compares probes together with each of them at another
  // place between dark and bright images, and alone. `trains`: the model is known to hold an
  // operator in training mode.
  absl::Status CheckBatchDependence(bool trains);
  // Whether gradients are the same each time, and right: the directional derivative of a fixed
  // combination of logits along its own gradient, against central differences.
  absl::Status CheckGradient();
  // `round` turns all passes into those of a form that computes with less precision. kInvalidModel
  // where it cannot, or where its logits are no longer finite.
  absl::Status CheckPrecision(const std::function<void()>& round);

  // The only batch size that the model takes; 0: any.
  int fixed_batch() const { return fixed_batch_; }

 private:
  void FindFixedBatch(absl::StatusOr<OutputForm>* output);
  // Rows of one pass where `rows` are asked for: a model with a fixed batch takes several passes.
  int PassRows(int rows) const { return fixed_batch_ != 0 ? fixed_batch_ : rows; }
  size_t RowSize(int rows) const;
  // `rows` must be a multiple of the fixed batch, if there is one; likewise below.
  absl::Status Forward(const float* images, int rows, float* logits);
  // `logit_gradient` sees the rows of one pass at a time.
  absl::Status ForwardBackward(const float* images, int rows,
                               const Classifier::LogitGradient& logit_gradient, float* logits,
                               float* gradient);
  // Logits of the probes, and gradients of a fixed combination of them.
  absl::Status ProbeGradient(std::vector<float>* logits, std::vector<float>* gradient);
  // `first` is the gradient of the probes.
  absl::Status CheckGradientRepeats(const std::vector<float>& first);
  // How passes compare, once `change` has been made, with the first ones.
  struct Agreement {
    absl::Status status;
    double difference = 0, tolerance = 0;
    bool agrees() const { return status.ok() && difference <= tolerance; }
  };
  Agreement CompareAfter(const std::function<absl::Status()>& change);
  // Checks may be made again, of another form of the model.
  void Warn(const std::string& text) {
    const auto& warnings = validation_.warnings();
    if (std::find(warnings.begin(), warnings.end(), text) == warnings.end()) {
      validation_.add_warnings(text);
    }
  }

  const Shape shape_;
  const ModelPasses passes_;
  v1::ModelValidation& validation_;
  int fixed_batch_ = 0;
  // What is probed with: at least kProbeBatch images, and as many as the model takes.
  std::vector<float> probes_;
  int probe_rows_ = 0;
  // Of the model as given; the gradient is empty where it has none.
  std::vector<float> original_, original_gradient_;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_VALIDATION_MODEL_VALIDATION_H_
