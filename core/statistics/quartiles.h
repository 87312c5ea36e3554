// Quartiles of a sample.
#ifndef ASSAY_CORE_STATISTICS_QUARTILES_H_
#define ASSAY_CORE_STATISTICS_QUARTILES_H_

#include <array>
#include <vector>

namespace assay {

// The first, second and third quartile of `ascending`, which has at least one value: between order
// statistics by linear interpolation, at position p (n - 1) for p = 1/4, 1/2, 3/4 (Hyndman and
// Fan's definition 7, which numpy and R have).
std::array<double, 3> Quartiles(const std::vector<double>& ascending);

}  // namespace assay

#endif  // ASSAY_CORE_STATISTICS_QUARTILES_H_
