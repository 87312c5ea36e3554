// Models that torch.export.save wrote (.pt2): programs of ATen operators, as TorchScript modules.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_EXPORTED_PROGRAM_H_
#define ASSAY_SERVER_ENGINE_IMPORT_EXPORTED_PROGRAM_H_

#include <torch/script.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "server/engine/import/program_archive.h"

namespace assay::engine {

struct ExportedProgramInfo {
  ProgramLayout layout = ProgramLayout::kNone;
  std::string writer;  // "PyTorch 2.6.0", as far as the file says
  std::string schema;  // the version of the schema of the program: "8.2"
  // The number of images that it was exported for; 0: any. A program for one number may run for
  // others all the same, as a traced model may; whether it does is for validation to find out.
  int64_t batch = 0;
};

// `info`, if not null, is told of the file, as far as it could be read. The module is in eval mode,
// on the CPU, and takes float32 images N x C x H x W; it returns what the model did: a tensor, or a
// tuple or dict of them. Errors are kInvalidModel, or kOutOfMemory.
absl::StatusOr<torch::jit::Module> ImportExportedProgram(const std::string& path,
                                                         ExportedProgramInfo* info = nullptr);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_EXPORTED_PROGRAM_H_
