// What LibTorch means by what it throws about a model.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_EXPLAIN_ERROR_H_
#define ASSAY_SERVER_ENGINE_IMPORT_EXPLAIN_ERROR_H_

#include <optional>
#include <string>

namespace assay::engine {

// `text` is what LibTorch threw when it loaded the TorchScript file, or ran it. Nothing if there is
// no more to say than LibTorch does.
std::optional<std::string> ExplainLoadError(const std::string& path, const std::string& text);
std::optional<std::string> ExplainRunError(const std::string& text);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_EXPLAIN_ERROR_H_
