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

void AddPasses(const v1::PassCounts& more, v1::PassCounts* passes) {
  passes->set_forwards(passes->forwards() + more.forwards());
  passes->set_needed_forwards(passes->needed_forwards() + more.needed_forwards());
  passes->set_backwards(passes->backwards() + more.backwards());
  passes->set_needed_backwards(passes->needed_backwards() + more.needed_backwards());
}

}  // namespace assay::report
