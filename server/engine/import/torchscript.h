// TorchScript files.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_TORCHSCRIPT_H_
#define ASSAY_SERVER_ENGINE_IMPORT_TORCHSCRIPT_H_

#include <torch/script.h>

#include <string>

#include "absl/status/statusor.h"

namespace assay::engine {

// On `device`. kInvalidModel says which operator this LibTorch lacks, or what else is wrong.
absl::StatusOr<torch::jit::Module> ReadTorchScript(const std::string& path,
                                                   const at::Device& device);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_TORCHSCRIPT_H_
