#include "server/config/devices.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <regex>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/errors.h"

namespace assay {
namespace {

// Whether the kernel has a driver of GPUs that LibTorch might use. Asking the engine takes a
// second, in which it starts LibTorch.
bool MayHaveGpus() {
  for (const char* path : {"/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd"}) {
    if (access(path, F_OK) == 0) return true;
  }
  return false;
}

// What the engine finds on this machine: GPUs, and the CPU, last.
absl::StatusOr<std::vector<std::string>> ListDevices(const std::string& engine_binary) {
  std::vector<std::string> found;
  if (!MayHaveGpus() && access(engine_binary.c_str(), X_OK) == 0)
    return std::vector<std::string>{"cpu"};
  FILE* pipe = popen(absl::StrCat("'", engine_binary, "' --list-devices").c_str(), "r");
  if (pipe != nullptr) {
    char line[128];
    while (fgets(line, sizeof(line), pipe) != nullptr) {
      found.emplace_back(absl::StripAsciiWhitespace(line));
    }
    pclose(pipe);
  }
  if (found.empty()) {
    return Error(Reason::kInternal, absl::StrCat("cannot run ", engine_binary, " --list-devices"));
  }
  return found;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ResolveDevices(const std::string& devices,
                                                        const std::string& engine_binary) {
  if (devices == "auto") {
    ASSAY_ASSIGN_OR_RETURN(std::vector<std::string> found, ListDevices(engine_binary));
    if (found.size() > 1) found.pop_back();
    return found;
  }
  const std::vector<std::string> wanted = absl::StrSplit(devices, ',');
  std::set<std::string> names;
  bool gpu = false;
  for (const std::string& device : wanted) {
    static const std::regex* const kDevice = new std::regex("cpu(:[0-9]{1,3})?|(cuda:[0-9]{1,3})");
    std::smatch parts;
    if (!std::regex_match(device, parts, *kDevice)) {
      return InvalidFields({{"--devices", absl::StrCat("must be auto, or a list such as "
                                                       "cuda:0,cuda:1 or cpu; got '",
                                                       device, "'")}});
    }
    if (!names.insert(device).second) {
      return InvalidFields({{"--devices", absl::StrCat("names ", device, " twice; give ", device,
                                                       " once, or --max-engines")}});
    }
    gpu = gpu || parts[2].matched;
  }
  if (!gpu) return wanted;
  ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> found, ListDevices(engine_binary));
  for (const std::string& device : wanted) {
    if (absl::StartsWith(device, "cuda") &&
        std::find(found.begin(), found.end(), device) == found.end()) {
      return InvalidFields(
          {{"--devices",
            absl::StrCat(device, " is not there; LibTorch finds ", absl::StrJoin(found, ", "),
                         " (a LibTorch without CUDA finds no GPU, and "
                         "CUDA_VISIBLE_DEVICES hides some)")}});
    }
  }
  return wanted;
}

}  // namespace assay
