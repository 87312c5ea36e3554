// What can be said of the flags before anything is started: addresses, directories, files, devices.
// Both the start and --check-config ask here.
#ifndef ASSAY_SERVER_CONFIG_CHECK_H_
#define ASSAY_SERVER_CONFIG_CHECK_H_

#include <map>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "net/address.h"
#include "server/config/flags.h"

namespace assay {

struct CheckedFlags {
  // Everything that is wrong; a field is a flag ("--listen"). What follows counts only without.
  std::vector<FieldViolation> mistakes;
  Address listen;
  std::vector<std::string> devices;
  // As fingerprints name them, by device.
  std::map<std::string, std::string> device_kinds;
  // Empty: not known yet.
  std::string libtorch_version;
  std::string engine_binary;
};

// Changes nothing, and neither listens nor connects. `program_directory` is where assayd is.
CheckedFlags CheckFlags(const Flags& flags, const std::string& program_directory);

}  // namespace assay

#endif  // ASSAY_SERVER_CONFIG_CHECK_H_
