// Sums of what models were asked.
#ifndef ASSAY_CORE_BASE_PASS_COUNTS_H_
#define ASSAY_CORE_BASE_PASS_COUNTS_H_

#include <cstdint>

#include "assay/v1/outcomes.pb.h"

namespace assay {

// Adds each number to its own, so many times; -1 takes it away.
void AddPasses(const v1::PassCounts& more, v1::PassCounts* passes, int64_t times = 1);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_PASS_COUNTS_H_
