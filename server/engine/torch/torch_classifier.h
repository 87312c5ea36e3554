// A TorchScript model on one device as a Classifier, and its validation at load.
#ifndef ASSAY_SERVER_ENGINE_TORCH_TORCH_CLASSIFIER_H_
#define ASSAY_SERVER_ENGINE_TORCH_TORCH_CLASSIFIER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/models.pb.h"
#include "server/engine/base/classifier.h"
#include "server/engine/bounds/network.h"

namespace assay::engine {

struct LoadOptions {
  std::string model_path;
  Shape shape;
  // "cpu", "cpu:N" or "cuda:N".
  std::string device = "cpu";
  // How much of the machine to use: on a CPU as many passes run side by side, of one thread each.
  int threads = 1;
  // The largest batch; on a GPU the size of every batch. 0: choose.
  int batch_size = 0;
  // Whether validation() is to say what the model is made of, and how fast it is.
  bool details = false;
};

class TorchClassifier : public Classifier {
 public:
  // Loads and validates: kInvalidModel, kModelInputMismatch, kModelOutputInvalid, kModelNotFinite,
  // kModelFailed, kOutOfMemory. What the model accepts but a user should know is in
  // validation().warnings.
  static absl::StatusOr<std::unique_ptr<TorchClassifier>> Load(const LoadOptions& options);

  virtual const v1::ModelValidation& validation() const = 0;
  // The model as a graph of operators with its weights, for methods that must look inside;
  // kInvalidCondition where it cannot be had, with the operator that stands in the way.
  virtual absl::StatusOr<std::shared_ptr<const bounds::Network>> network() = 0;
  // What a layer answers: a Classifier whose logits are its numbers, for plain passes only. Valid
  // until the next call, and until batches change. kInvalidArgument with the layers that there are
  // (layers.h); kOutOfMemory. Not while passes run.
  virtual absl::StatusOr<Classifier*> Layer(const std::string& name) = 0;
  // A model that gives other bits at every batch size is run at a single one, which fits this
  // number of samples. For all others it does nothing. Not while passes run.
  virtual void ChooseBatchFor(int64_t samples) = 0;
  // Makes batches smaller; kOutOfMemory where they cannot be. Not while passes run.
  virtual absl::Status ShrinkBatches() = 0;
};

// Devices of this machine in the form of LoadOptions::device: "cuda:0", ... and always "cpu", last.
std::vector<std::string> AvailableDevices();
// What fingerprints say of such a device, whatever the model.
struct NumericsOrigin {
  std::string device_kind;  // "cpu", or the name of the GPU
  std::string libtorch_version;
};
NumericsOrigin OriginOf(const std::string& device);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_TORCH_CLASSIFIER_H_
