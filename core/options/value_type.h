// What an option takes, as its validators say it: for messages, completion scripts and man pages.
#ifndef ASSAY_CORE_OPTIONS_VALUE_TYPE_H_
#define ASSAY_CORE_OPTIONS_VALUE_TYPE_H_

#include <string>
#include <vector>

namespace CLI {
class Option;
}  // namespace CLI

namespace assay::options {

struct ValueType {
  // "FILE", "INT", "TEXT"; empty for a switch.
  std::string name;
  // The values that it may have, where they are a few words.
  std::vector<std::string> choices;
  // Of a number; empty: any.
  std::string least, most;
  bool positive = false;

  // "a whole number from 0 to 65535", "one of json, text"; empty where there is nothing to say.
  std::string Wanted() const;
};

ValueType ValueTypeOf(const CLI::Option& option);

}  // namespace assay::options

#endif  // ASSAY_CORE_OPTIONS_VALUE_TYPE_H_
