// Intervals for the difference of two shares of which nothing is known but the intervals of both:
// not whether the samples were the same, nor whether one depends on the other.
#ifndef ASSAY_CORE_STATISTICS_SEPARATE_DIFFERENCE_H_
#define ASSAY_CORE_STATISTICS_SEPARATE_DIFFERENCE_H_

#include <cstdint>

#include "core/statistics/statistics.h"

namespace assay {

// The level at which so many intervals must be taken for all of them to hold at `confidence_level`
// (Bonferroni's inequality).
double LevelOfEach(int64_t intervals, double confidence_level);

// For x - factor y, factor >= 0, x and y having these intervals, each at LevelOfEach(2, level):
// each end is wrong with probability at most half of 1 - level.
Interval SeparateDifference(const Interval& x, const Interval& y, double factor);

}  // namespace assay

#endif  // ASSAY_CORE_STATISTICS_SEPARATE_DIFFERENCE_H_
