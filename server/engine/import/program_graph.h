// The graph of an exported program as a TorchScript module.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_GRAPH_H_
#define ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_GRAPH_H_

#include <torch/script.h>

#include "absl/status/statusor.h"
#include "server/engine/import/program_archive.h"

namespace assay::engine {

// Each ATen operator of the program with its arguments, in its order. What has no part in the
// output is left out: checks of symbolic sizes, and counters that the program only advances. What
// is not understood exactly is an error (kInvalidModel) with its name. Throws what LibTorch throws.
absl::StatusOr<torch::jit::Module> BuildProgramGraph(const ProgramArchive& archive);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_GRAPH_H_
