#ifndef ASSAY_TESTS_ALL_REASONS_H_
#define ASSAY_TESTS_ALL_REASONS_H_

#include <vector>

#include "core/base/errors.h"

namespace assay {

// Every reason, in the order of the enum.
inline std::vector<Reason> AllReasons() {
  std::vector<Reason> all;
  for (int i = 0; i <= static_cast<int>(Reason::kInternal); ++i) {
    all.push_back(static_cast<Reason>(i));
  }
  return all;
}

}  // namespace assay

#endif  // ASSAY_TESTS_ALL_REASONS_H_
