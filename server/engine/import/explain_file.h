// What a file is that is given as a model, and what to do with one that cannot be loaded. Files are
// only looked at: whatever they contain, nothing of it is run.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_EXPLAIN_FILE_H_
#define ASSAY_SERVER_ENGINE_IMPORT_EXPLAIN_FILE_H_

#include <optional>
#include <string>

namespace assay::engine {

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

FileExplanation ExplainFile(const std::string& path);

// `text` is what LibTorch threw when it loaded a file of kTorchScript, or ran it. Nothing if there
// is no more to say than LibTorch does.
std::optional<std::string> ExplainLoadError(const std::string& path, const std::string& text);
std::optional<std::string> ExplainRunError(const std::string& text);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_EXPLAIN_FILE_H_
