// What an exported program takes, holds and returns.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_SIGNATURE_H_
#define ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_SIGNATURE_H_

#include <ATen/ATen.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/import/program_archive.h"

namespace assay::engine {

// Values by their names in the graph.
struct ProgramSignature {
  struct Held {
    std::string name;          // qualified: "layer1.0.conv1.weight"
    const at::Tensor* tensor;  // of the archive
    bool buffer;               // or a constant; not a parameter
  };

  std::string images;
  std::map<std::string, Held> state;
  // Those of `state` that the program says to change.
  std::set<std::string> changed;
  // In the order in which the model returns them; "" is None.
  std::vector<std::string> outputs;
};

// `archive` must outlive the result. kInvalidModel unless the program takes one batch of float32
// images and returns tensors.
absl::StatusOr<ProgramSignature> ReadProgramSignature(const ProgramArchive& archive);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_SIGNATURE_H_
