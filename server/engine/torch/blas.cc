#include "server/engine/torch/blas.h"

#include <dlfcn.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"

namespace assay::engine {

std::string BlasLibrary() {
  const void* const multiply = dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info info;
  if (multiply == nullptr || dladdr(multiply, &info) == 0 || info.dli_fname == nullptr) return "";
  // Debian's alternatives are links to what is meant.
  std::error_code failed;
  const auto file = std::filesystem::canonical(info.dli_fname, failed);
  const std::string path = failed ? info.dli_fname : file.string();
  return absl::StrContains(path, "libtorch") ? "" : path;
}

bool IsReferenceBlas(absl::string_view file) { return absl::StrContains(file, "/blas/libblas.so"); }

}  // namespace assay::engine
