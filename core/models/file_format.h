// What a file is that is given as a model, and what to do with one that cannot be loaded. Files are
// only looked at: whatever they contain, nothing of it is run.
#ifndef ASSAY_CORE_MODELS_FILE_FORMAT_H_
#define ASSAY_CORE_MODELS_FILE_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>

namespace assay {

enum class FileFormat {
  kTorchScript,      // of torch.jit.save
  kExportedProgram,  // of torch.export.save, in any of its layouts
  kOnnx,
  kOther,  // nothing that can be loaded
};

struct FileExplanation {
  FileFormat format = FileFormat::kOther;
  // Of kOther: what the file is and what to do ("it is a state_dict, ...").
  std::string message;
};

// The model is the first `size` bytes of the file, or all of it.
FileExplanation ExplainFile(const std::string& path, std::optional<uint64_t> size = std::nullopt);

}  // namespace assay

#endif  // ASSAY_CORE_MODELS_FILE_FORMAT_H_
