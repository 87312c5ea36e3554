// The file that torch.export.save writes, in either of its layouts: a program as JSON, and tensors.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_ARCHIVE_H_
#define ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_ARCHIVE_H_

#include <ATen/ATen.h>

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/import/json_access.h"

namespace assay::engine {

enum class ProgramLayout {
  kNone,      // not an exported program
  kFlat,      // PyTorch 2.1 to 2.7: serialized_exported_program.json beside pickled tensors
  kPackage,   // PyTorch 2.8 and later: models/NAME.json, data/weights, data/constants
  kCompiled,  // a package of machine code (AOTInductor) without a program
};

struct ProgramArchive {
  ProgramLayout layout = ProgramLayout::kNone;
  // "PyTorch 2.6.0", as far as the file says.
  std::string writer;
  // The version of the schema of the program: "8.2"; older ones have one number.
  std::string schema;
  // An ExportedProgram of torch/_export/serde/schema.py.
  Json program;
  // Parameters and buffers, and what else the program holds, by their qualified names.
  std::map<std::string, at::Tensor> state, constants;
};

// Fills `archive`; before an error (kInvalidModel) as far as it was read. Throws what LibTorch
// throws when memory is out.
absl::Status ReadProgramArchive(const std::string& path, ProgramArchive* archive);

// The type that number `type` of the schema means, which is not that of c10.
absl::StatusOr<c10::ScalarType> SchemaScalarType(const Json& type);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_ARCHIVE_H_
