// The devices that engines work on: what --devices says, and what this machine has.
#ifndef ASSAY_SERVER_CONFIG_DEVICES_H_
#define ASSAY_SERVER_CONFIG_DEVICES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace assay {

// `devices` is "auto", what the engine finds, the GPUs if there are any; or a list such as
// "cuda:0,cuda:1" or "cpu". kInvalidArgument for one that is none, is there twice, or is not there.
// Asks `engine_binary` where the machine may have GPUs.
absl::StatusOr<std::vector<std::string>> ResolveDevices(const std::string& devices,
                                                        const std::string& engine_binary);

}  // namespace assay

#endif  // ASSAY_SERVER_CONFIG_DEVICES_H_
