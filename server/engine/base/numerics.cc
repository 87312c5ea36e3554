#include "server/engine/base/numerics.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/digest.h"

namespace assay::engine {

std::string CpuCapability() {
  std::string model = "unknown CPU";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (absl::StartsWith(line, "model name")) {
      model = std::string(absl::StripAsciiWhitespace(line.substr(line.find(':') + 1)));
      break;
    }
  }
#if defined(__x86_64__)
  const char* set = __builtin_cpu_supports("avx512f") ? "AVX512"
                    : __builtin_cpu_supports("avx2")  ? "AVX2"
                                                      : "SSE";
#else
  const char* set = "generic";
#endif
  return absl::StrCat(set, ", ", model);
}

std::string GpuName(int index) {
  // In the order of their bus addresses, as CUDA counts them unless told otherwise.
  std::map<std::string, std::string> names;
  std::error_code none;
  for (const auto& gpu : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", none)) {
    std::ifstream file(gpu.path() / "information");
    for (std::string line; std::getline(file, line);) {
      if (absl::StartsWith(line, "Model:")) {
        names[gpu.path()] = std::string(absl::StripAsciiWhitespace(line.substr(6)));
      }
    }
  }
  if (index < 0 || static_cast<size_t>(index) >= names.size()) return absl::StrCat("cuda:", index);
  return std::next(names.begin(), index)->second;
}

std::string NumericsDigest(const v1::NumericsFingerprint& numerics) {
  // Equal probes are better evidence than the name of the processor.
  const absl::string_view capability = numerics.capability();
  const absl::string_view machine =
      numerics.probes().empty() ? capability : capability.substr(0, capability.find(','));
  return Sha256Hex(absl::StrCat(numerics.device(), "\n", numerics.batch_size(), "\n",
                                numerics.libtorch_version(), "\n", machine, "\n",
                                numerics.memory_format(), "\n", numerics.frozen(), "\n",
                                numerics.forward_form(), "\n", numerics.probes(),
                                numerics.precision().empty() ? "" : "\n", numerics.precision()));
}

}  // namespace assay::engine
