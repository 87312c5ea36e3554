#include "core/options/value_type.h"

#include <cstddef>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace assay::options {

std::string ValueType::Wanted() const {
  if (!choices.empty()) return absl::StrCat("one of ", absl::StrJoin(choices, ", "));
  std::string wanted = name == "INT" || name == "UINT" ? "a whole number"
                       : name == "FLOAT"               ? "a number"
                                                       : "";
  if (!least.empty()) absl::StrAppend(&wanted, " from ", least, " to ", most);
  if (positive) absl::StrAppend(&wanted, " above 0");
  return wanted;
}

ValueType ValueTypeOf(const CLI::Option& option) {
  ValueType type;
  if (option.get_items_expected_max() == 0) return type;
  // CLI11 tells by text alone: "INT:INT in [0 - 65535]", "TEXT:{json,text}", "INT:POSITIVE".
  const std::string text = option.get_type_name();
  const size_t open = text.find_first_of("[{");
  const size_t close = text.find_last_of("]}");
  const bool described = absl::StrContains(text, ":{") || absl::StrContains(text, " in [");
  type.positive = absl::EndsWith(text, ":POSITIVE");
  if (!described && !type.positive) {
    // A validator that names what it takes says more than the type does: "INT:SIZE".
    type.name = text;
    for (const char* kind : {"INT:", "UINT:", "FLOAT:", "TEXT:"}) {
      if (absl::StartsWith(text, kind)) type.name = text.substr(text.find(':') + 1);
    }
    return type;
  }
  type.name = text.substr(0, text.find(':'));
  if (open == std::string::npos || close == std::string::npos || close < open) return type;
  const std::string inside = text.substr(open + 1, close - open - 1);
  if (text[open] == '{') {
    type.choices = absl::StrSplit(inside, ',');
  } else if (const std::vector<std::string> ends = absl::StrSplit(inside, " - ");
             ends.size() == 2) {
    type.least = ends[0];
    type.most = ends[1];
  }
  return type;
}

}  // namespace assay::options
