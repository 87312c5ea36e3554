// YAML files whose keys are the options of a program, without their dashes: the configuration of
// assayd, and evaluations that are written down.
//
//   listen: 0.0.0.0:8001
//   devices: [cuda:0, cuda:1]
//   insecure: yes
#ifndef ASSAY_CORE_OPTIONS_OPTION_FILE_H_
#define ASSAY_CORE_OPTIONS_OPTION_FILE_H_

#include <optional>
#include <string>
#include <vector>

#include "core/base/errors.h"

namespace CLI {
class Option;
}  // namespace CLI

namespace assay::options {

// An option by the name that it has in files.
struct Key {
  enum class Takes { kValue, kValues, kNothing };

  std::string name;
  const CLI::Option* option = nullptr;
  // Where no option says it.
  Takes takes = Takes::kValue;

  // Whether it takes no value.
  bool is_switch() const;
  // Whether it takes several.
  bool is_list() const;
  // Whether its one value is a list with commas, as the help says by LIST.
  bool is_joined() const;
};

// A key that is there. Of a switch the value is "true" or "false".
struct Entry {
  Key key;
  std::vector<std::string> values;
  int line = 0;
};

struct OptionFile {
  std::vector<Entry> entries;
  // Everything that is wrong; fields are "path:line".
  std::vector<FieldViolation> mistakes;
};

// Reads `text`; `path` is for messages. What the values mean is for the options to say. A text
// without anything in it has no entries and no mistakes.
OptionFile ReadOptionFile(const std::string& text, const std::string& path,
                          const std::vector<Key>& keys);

// The values of a switch as YAML has them: true, yes, on, ...
std::optional<bool> ReadSwitch(const std::string& text);

// What to say of a name that is none of those of `keys`: the nearest one, or all.
std::string UnknownKey(const std::string& name, const std::vector<Key>& keys);

}  // namespace assay::options

#endif  // ASSAY_CORE_OPTIONS_OPTION_FILE_H_
