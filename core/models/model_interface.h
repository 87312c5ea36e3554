// How a model wants its images and gives its answer (v1::ModelInterface), as options and as text.
#ifndef ASSAY_CORE_MODELS_MODEL_INTERFACE_H_
#define ASSAY_CORE_MODELS_MODEL_INTERFACE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/models.pb.h"
#include "core/base/errors.h"

namespace assay {

// What can be said of it; an empty text says nothing.
struct ModelInterfaceOptions {
  // "0..255": what the model calls 0 and 1
  std::string input_range;
  // "mean=0.485,0.456,0.406,std=0.229,0.224,0.225", one number for all channels, or "imagenet"
  std::string normalize;
  // "rgb" or "bgr"
  std::string channels;
  // "nchw" or "nhwc"
  std::string layout;
  // "224" or "224x192": height and width
  std::string resize;
  // "logits", "probabilities", "log-probabilities" or "binary-logit"; "key=NAME" or "index=I"
  // chooses from several outputs; or one of both kinds with a comma between
  std::string output;
  // "fp32", "tf32" or "bf16"
  std::string precision;
};

// kInvalidArgument with a violation for each option that does not parse ("--normalize", ...).
absl::StatusOr<v1::ModelInterface> ParseModelInterface(const ModelInterfaceOptions& options);

// Everything that is wrong with one that came over the wire; paths start with `prefix`.
std::vector<FieldViolation> CheckModelInterface(const v1::ModelInterface& interface,
                                                const std::string& prefix);

// "range 0..255, mean 0.485 0.456 0.406, std 0.229 0.224 0.225, BGR"; empty if it changes nothing.
std::string ModelInterfaceText(const v1::ModelInterface& interface);

}  // namespace assay

#endif  // ASSAY_CORE_MODELS_MODEL_INTERFACE_H_
