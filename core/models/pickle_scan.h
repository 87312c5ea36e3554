// What a Python pickle names, found without running it. A pickle is a program that calls whatever
// it names, so one that nobody vouches for is only looked at.
#ifndef ASSAY_CORE_MODELS_PICKLE_SCAN_H_
#define ASSAY_CORE_MODELS_PICKLE_SCAN_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace assay {

struct PickleScan {
  // Classes and functions, "torch._utils._rebuild_tensor_v2", in the order of their first mention.
  std::vector<std::string> globals;
  // Strings in their order, without those that name a global.
  std::vector<std::string> strings;
  // Bytes up to and with the end of the pickle; 0 if it does not end within `bytes`, or is no
  // pickle: globals and strings are then those before that.
  size_t size = 0;
};

// The first pickle of `bytes`, of any protocol.
PickleScan ScanPickle(absl::string_view bytes);

}  // namespace assay

#endif  // ASSAY_CORE_MODELS_PICKLE_SCAN_H_
