// The devices that engines work on: what --devices says, and what this machine has.
#ifndef ASSAY_SERVER_CONFIG_DEVICES_H_
#define ASSAY_SERVER_CONFIG_DEVICES_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace assay {

struct Devices {
  std::vector<std::string> names;
  // As fingerprints name them: "cpu", "NVIDIA H200". Of each of `names`.
  std::map<std::string, std::string> kinds;
  // Of the engine; empty where it was not asked.
  std::string libtorch_version;
};

// `devices` is "auto", what the engine finds, the GPUs if there are any; or a list such as
// "cuda:0,cuda:1" or "cpu". kInvalidArgument for one that is none, is there twice, or is not there.
// Asks `engine_binary` where the machine may have GPUs, and if `ask` says so.
absl::StatusOr<Devices> ResolveDevices(const std::string& devices, const std::string& engine_binary,
                                       bool ask);

}  // namespace assay

#endif  // ASSAY_SERVER_CONFIG_DEVICES_H_
