// A model's file, of whatever format, as a TorchScript module; and what its code says of itself
// before it has run once.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_READ_MODEL_H_
#define ASSAY_SERVER_ENGINE_IMPORT_READ_MODEL_H_

#include <torch/script.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/models.pb.h"
#include "server/engine/base/classifier.h"

namespace assay::engine {

struct ImportedModel {
  // In eval mode; parameters ask for no gradients. Takes float32 NCHW images in [0,1], as its
  // interface wants.
  torch::jit::Module module;
  v1::ModelInterface interface;
  // For people: "TorchScript", "ONNX, opset 17, of pytorch 2.6.0".
  std::string format;
  // What the import changed that a user should know.
  std::vector<std::string> notes;
  bool saved_in_training_mode = false;
  // The function that computes gradients by itself: a defence that adapts to each image while it
  // answers. Attacks differentiate the model as it is, not what it does to its own gradients. Empty
  // without.
  std::string autograd_in;
  // An operator that trains whatever the mode of the module, as tracing in training mode leaves it
  // ("aten::batch_norm"); empty without.
  std::string training_in;
  // Whether some path through the code may write into the images that it is given.
  bool writes_to_input = false;
};

// For images of `shape`. kInvalidModel says what the file is instead, or which operator stands in
// the way; kModelInputMismatch where the file says that it takes other images; kModelOutputInvalid.
absl::StatusOr<ImportedModel> ReadModel(const std::string& path, const Shape& shape,
                                        const at::Device& device);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_READ_MODEL_H_
