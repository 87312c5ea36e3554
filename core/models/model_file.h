// A model's file as Assay stores it: a model in one of the formats, and behind it, where it has
// one, the ModelInterface (proto/assay/v1/models.proto).
#ifndef ASSAY_CORE_MODELS_MODEL_FILE_H_
#define ASSAY_CORE_MODELS_MODEL_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/models.pb.h"

namespace assay {

struct ModelFile {
  // The model is the first so many bytes of the file.
  int64_t model_bytes = 0;
  v1::ModelInterface interface;
};

// What follows a model's bytes to give it that interface; empty if it changes nothing.
std::string InterfaceTrailer(const v1::ModelInterface& interface);

// Looks at the file's end. kStorageFailed when it cannot be read, kInvalidModel when the interface
// is damaged or of a later version.
absl::StatusOr<ModelFile> ReadModelFile(const std::string& path);

// A first look, before any LibTorch code sees the file: is it a model at all? kInvalidModel says
// what it is instead, and what to do.
absl::Status CheckModelFile(const std::string& path);

}  // namespace assay

#endif  // ASSAY_CORE_MODELS_MODEL_FILE_H_
