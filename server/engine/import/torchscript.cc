#include "server/engine/import/torchscript.h"

#include <exception>
#include <optional>

#include "core/base/errors.h"
#include "server/engine/import/base/torch_guard.h"
#include "server/engine/import/explain_error.h"

namespace assay::engine {
namespace {

constexpr char kNotTorchScript[] = "not a TorchScript model (save it with torch.jit.save)";

}  // namespace

absl::StatusOr<torch::jit::Module> ReadTorchScript(const std::string& path,
                                                   const at::Device& device) {
  torch::jit::Module module;
  try {
    module = torch::jit::load(path, device);
  } catch (const std::exception& error) {
    const auto explained = ExplainLoadError(path, error.what());
    return explained.has_value()
               ? Error(Reason::kInvalidModel, *explained).ToStatus()
               : FromTorchError(Reason::kInvalidModel, kNotTorchScript, error.what());
  }
  if (!module.find_method("forward")) {
    return Error(Reason::kInvalidModel, "the TorchScript module has no method 'forward'")
        .ToStatus();
  }
  return module;
}

}  // namespace assay::engine
