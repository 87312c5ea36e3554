// The random order in which an evaluation that may stop early draws its samples.
#ifndef ASSAY_CORE_BASE_SAMPLE_ORDER_H_
#define ASSAY_CORE_BASE_SAMPLE_ORDER_H_

#include <cstdint>
#include <vector>

namespace assay {

// A permutation of the positions 0 to samples - 1, uniform over all of them and a function of both
// arguments alone (Fisher and Yates). Needs samples below 2^32.
std::vector<int64_t> SampleOrder(int64_t seed, int64_t samples);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_SAMPLE_ORDER_H_
