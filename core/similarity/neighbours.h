// Whether two models find the same samples alike: the nearest neighbours of each sample among the
// features of one model, and those of the other.
#ifndef ASSAY_CORE_SIMILARITY_NEIGHBOURS_H_
#define ASSAY_CORE_SIMILARITY_NEIGHBOURS_H_

#include <cstdint>
#include <vector>

#include "core/similarity/rows.h"

namespace assay {

// Of each row, its `k` most similar other rows by cosine, as ascending positions, row after row:
// samples x k numbers. 0 < k < samples. Similarities are compared in single precision; equal ones
// go to the lower position. A row of zeros has the similarity 0 to every other. Holds no matrix of
// all pairs.
std::vector<int32_t> NearestNeighbours(const Rows& rows, int k);

// |A & B| / |A | B| of the neighbours of each sample, from NearestNeighbours with the same k and
// the same samples.
std::vector<double> NeighbourJaccard(const std::vector<int32_t>& first,
                                     const std::vector<int32_t>& second, int k);

}  // namespace assay

#endif  // ASSAY_CORE_SIMILARITY_NEIGHBOURS_H_
