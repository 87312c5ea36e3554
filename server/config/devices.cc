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

// A line of --list-devices: name, kind and LibTorch, between tabs.
struct Listed {
  std::string name, kind, libtorch_version;
};

// What the engine finds on this machine: GPUs, and the CPU, last.
absl::StatusOr<std::vector<Listed>> ListDevices(const std::string& engine_binary) {
  std::vector<Listed> found;
  FILE* pipe = popen(absl::StrCat("'", engine_binary, "' --list-devices").c_str(), "r");
  if (pipe != nullptr) {
    char line[512];
    while (fgets(line, sizeof(line), pipe) != nullptr) {
      const std::vector<std::string> fields =
          absl::StrSplit(absl::StripAsciiWhitespace(line), '\t');
      if (fields.size() == 3) found.push_back({fields[0], fields[1], fields[2]});
    }
    pclose(pipe);
  }
  if (found.empty()) {
    return Error(Reason::kInternal, absl::StrCat("cannot run ", engine_binary, " --list-devices"));
  }
  return found;
}

// The names of a list that somebody wrote.
absl::StatusOr<std::vector<std::string>> ReadDevices(const std::string& devices, bool* gpu) {
  const std::vector<std::string> wanted = absl::StrSplit(devices, ',');
  std::set<std::string> names;
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
    *gpu = *gpu || parts[2].matched;
  }
  return wanted;
}

}  // namespace

absl::StatusOr<Devices> ResolveDevices(const std::string& devices, const std::string& engine_binary,
                                       bool ask) {
  const bool automatic = devices == "auto";
  Devices resolved;
  bool gpu = false;
  if (!automatic) {
    ASSAY_ASSIGN_OR_RETURN(resolved.names, ReadDevices(devices, &gpu));
  }
  absl::StatusOr<std::vector<Listed>> found = std::vector<Listed>();
  const bool must_know = gpu || (automatic && MayHaveGpus());
  if (must_know || ask) found = ListDevices(engine_binary);
  if (must_know && !found.ok()) return found.status();
  if (!found.ok()) found = std::vector<Listed>();
  if (automatic) {
    for (const Listed& device : *found) resolved.names.push_back(device.name);
    if (resolved.names.size() > 1) resolved.names.pop_back();
    if (resolved.names.empty()) resolved.names = {"cpu"};
  }
  if (!found->empty()) resolved.libtorch_version = found->front().libtorch_version;
  for (const std::string& device : resolved.names) {
    const auto listed = std::find_if(found->begin(), found->end(),
                                     [&](const Listed& one) { return one.name == device; });
    if (absl::StartsWith(device, "cpu")) {
      resolved.kinds[device] = "cpu";
    } else if (listed != found->end()) {
      resolved.kinds[device] = listed->kind;
    } else {
      std::vector<std::string> names;
      for (const Listed& one : *found) names.push_back(one.name);
      return InvalidFields(
          {{"--devices",
            absl::StrCat(device, " is not there; LibTorch finds ", absl::StrJoin(names, ", "),
                         " (a LibTorch without CUDA finds no GPU, and "
                         "CUDA_VISIBLE_DEVICES hides some)")}});
    }
  }
  return resolved;
}

}  // namespace assay
