// Intervals for the difference of two shares: of the same samples, seen twice, or of two counts of
// which nothing is known but themselves. None is an approximation: each end is wrong with
// probability at most half of 1 - confidence_level, whatever the shares are.
#ifndef ASSAY_CORE_STATISTICS_PAIRED_DIFFERENCE_H_
#define ASSAY_CORE_STATISTICS_PAIRED_DIFFERENCE_H_

#include <cstdint>

#include "core/statistics/statistics.h"

namespace assay {

// For P(first right) - P(second right), of n > 0 samples on which both were tried: `only_first` of
// them only the first had right, and `only_second` only the second.
//
// The difference is psi (2 theta - 1), with psi the probability that the two differ and theta that
// then the first is right. Given that m samples differ, only_first is binomial(m, theta), so both
// have exact intervals: psi at the level 1 - a/20 and theta at 1 - 0.9 a, a being 1 -
// confidence_level. An end is wrong only where that of theta is (0.45 a at most) or the interval of
// psi (0.05 a). At a difference of 0 this decides as McNemar's exact test at the level 0.9 a.
//
// Counts need not be whole (binomial_ends.h).
Interval PairedDifference(double only_first, double only_second, double n, double confidence_level);

// The level at which two intervals must be taken for the ends of SeparateDifference.
double LevelOfEach(int64_t intervals, double confidence_level);

// For x - factor y, factor >= 0, x and y having these intervals, each at LevelOfEach(2, level):
// Bonferroni's inequality, which asks for no independence.
Interval SeparateDifference(const Interval& x, const Interval& y, double factor);

}  // namespace assay

#endif  // ASSAY_CORE_STATISTICS_PAIRED_DIFFERENCE_H_
