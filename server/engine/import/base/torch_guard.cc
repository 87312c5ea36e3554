#include "server/engine/import/base/torch_guard.h"

#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace assay::engine {
namespace {

bool LooksLikeOutOfMemory(const std::string& text) {
  return absl::StrContains(text, "out of memory") || absl::StrContains(text, "not enough memory") ||
         absl::StrContains(text, "bad_alloc") || absl::StrContains(text, "can't allocate memory");
}

}  // namespace

std::string LibTorchVersion() { return ASSAY_LIBTORCH_VERSION; }

std::string ShortTorchError(const std::string& text) {
  std::string best;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    if (best.empty()) best = std::string(line);
    for (const char* marker :
         {"RuntimeError: ", "torch.jit.Error: ", "builtins.RuntimeError: ", "Exception: "}) {
      const size_t at = line.find(marker);
      if (at != absl::string_view::npos) best = std::string(line.substr(at + strlen(marker)));
    }
  }
  return best.substr(0, 300);
}

absl::Status FromTorchError(Reason reason, absl::string_view what, const std::string& text) {
  if (LooksLikeOutOfMemory(text)) return Error(Reason::kOutOfMemory, "the device is out of memory");
  return Error(reason, absl::StrCat(what, ": ", ShortTorchError(text)));
}

}  // namespace assay::engine
