#include "server/engine/import/torchscript.h"

#include <caffe2/serialize/inline_container.h>

#include <cstring>
#include <exception>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/torch_guard.h"

namespace assay::engine {
namespace {

constexpr char kNotTorchScript[] = "not a TorchScript model (save it with torch.jit.save)";

// What the archive tells of the PyTorch that wrote it: it records no version, but newer ones write
// more records.
std::string WriterOf(const std::string& path) {
  try {
    caffe2::serialize::PyTorchStreamReader reader(path);
    return absl::StrCat(reader.hasRecord("byteorder") ? "PyTorch 2 or later" : "PyTorch",
                        " (file format ", reader.version(), ")");
  } catch (const std::exception&) {
    return "PyTorch";
  }
}

// Why a file that is a TorchScript archive does not load here; nothing if there is no more to say
// than LibTorch does.
std::optional<std::string> ExplainLoadError(const std::string& path, const std::string& text) {
  const std::string here = absl::StrCat("LibTorch ", LibTorchVersion());
  constexpr char kUnknown[] = "Unknown builtin op: ";
  if (const size_t at = text.find(kUnknown); at != std::string::npos) {
    const size_t begin = at + strlen(kUnknown);
    std::string op = text.substr(begin, text.find_first_of(" \n", begin) - begin);
    while (!op.empty() && op.back() == '.') op.pop_back();
    return absl::StrCat(
        "it calls ", op, ", which ", here, " of this server does not have; ", WriterOf(path),
        " wrote it. Use a server with a LibTorch as new as that PyTorch, or export the model "
        "without ",
        op);
  }
  for (const char* part : {"maximum supported version", "Unknown type name",
                           "Unknown qualified name", "is not supported in this version"}) {
    if (!absl::StrContains(text, part)) continue;
    return absl::StrCat(
        here, " of this server cannot read what ", WriterOf(path), " wrote (",
        ShortTorchError(text),
        "). Use a server with a LibTorch as new as that PyTorch, or save it with an older one");
  }
  return std::nullopt;
}

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
