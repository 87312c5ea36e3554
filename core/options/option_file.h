// Options written down: a YAML file whose keys are the names of options, without their dashes.
//
//   data: datasets/cifar10-test
//   condition:
//     - clean
//     - attack/autoattack:eps=8/255
//   seed: 1
//
// What an option means, and whether its value makes sense, is left to who reads the file.
#ifndef ASSAY_CORE_OPTIONS_OPTION_FILE_H_
#define ASSAY_CORE_OPTIONS_OPTION_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assay {

// An option that a file may have. A switch takes true or false, a list one value or several.
struct OptionKey {
  std::string name;
  bool is_switch = false;
  bool is_list = false;
};

// An option that a file has.
struct GivenOption {
  std::string name;
  // From 1.
  int line = 0;
  // At least one, but for a switch that is false: none. None is empty.
  std::vector<std::string> values;
};

// The options of a file with this text, in their order. kInvalidArgument with the line, "PATH:7",
// for what is no YAML, no key of `keys`, there twice, or no value for its key.
absl::StatusOr<std::vector<GivenOption>> ReadOptionFile(const std::string& text,
                                                        const std::string& path,
                                                        const std::vector<OptionKey>& keys);

// The error about a line of such a file.
absl::Status OptionFileError(const std::string& path, int line, const std::string& text);

}  // namespace assay

#endif  // ASSAY_CORE_OPTIONS_OPTION_FILE_H_
