// Dicts of tensors that torch.save wrote: a zip archive of a pickle and the bytes of the tensors.
//
// A pickle is a program that may call any Python function. This is an interpreter of the part of
// it that tensors in a dict need; whatever else a pickle asks for is refused by its name, and
// nothing that it names is ever run.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_TENSOR_PICKLE_H_
#define ASSAY_SERVER_ENGINE_IMPORT_TENSOR_PICKLE_H_

#include <ATen/ATen.h>

#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace assay::engine {

// By their names, on the CPU, without gradients; tensors that shared memory share it. `bytes` is
// the content of the file; an empty one is an empty dict. Errors are kInvalidModel.
absl::StatusOr<std::map<std::string, at::Tensor>> ReadSavedTensors(std::string bytes);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_TENSOR_PICKLE_H_
