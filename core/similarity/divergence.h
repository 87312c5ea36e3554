// Jensen-Shannon divergence of probability vectors (Lin, "Divergence measures based on the Shannon
// entropy", IEEE Transactions on Information Theory 37, 1991).
#ifndef ASSAY_CORE_SIMILARITY_DIVERGENCE_H_
#define ASSAY_CORE_SIMILARITY_DIVERGENCE_H_

#include <cstddef>

namespace assay {

// H((p + q) / 2) - (H(p) + H(q)) / 2 in bits, from 0 (equal) to 1 (disjoint). The sums are divided
// out: probabilities that were rounded on their way need not add up to one exactly. Of `p_size` and
// `q_size` numbers; those that the shorter one lacks are 0. Each has a positive sum.
double JensenShannonBits(const float* p, size_t p_size, const float* q, size_t q_size);

}  // namespace assay

#endif  // ASSAY_CORE_SIMILARITY_DIVERGENCE_H_
