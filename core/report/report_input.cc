#include "core/report/report_input.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace assay::report {

std::vector<std::string> ClassNames(const ReportInput& input) {
  std::vector<std::string> names;
  for (int i = 0; i < input.num_classes; ++i) {
    const size_t index = static_cast<size_t>(i);
    const bool named = index < input.class_names.size() && !input.class_names[index].empty();
    names.push_back(named ? input.class_names[index] : absl::StrCat("class ", i));
  }
  return names;
}

}  // namespace assay::report
