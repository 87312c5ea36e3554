// An interval for the difference of two accuracies that were measured on the same samples: of two
// models, or of two versions of one. Only the discordant samples, which one got right and the other
// wrong, tell of it, but how many there are is a nuisance that the interval has to allow for.
#ifndef ASSAY_CORE_STATISTICS_PAIRED_DIFFERENCE_H_
#define ASSAY_CORE_STATISTICS_PAIRED_DIFFERENCE_H_

#include <cstdint>

#include "core/statistics/statistics.h"

namespace assay {

// Two-sided interval for p1 - p2, the probability that only the first is right less the probability
// that only the second is, after n independent samples of which `only_first` and `only_second` went
// so; both at least 0, at most n together, n > 0, 0 < confidence_level < 1.
//
// Guaranteed for every n, p1 and p2: each end is wrong with probability at most half of 1 -
// confidence_level (beyond rounding, some 1e-12). No approximation by a normal distribution, and
// nothing is given up for a grid. It can contain 0 where McNemar's test is significant, and the
// other way round: they bound different errors.
//
// The lower end is the smallest difference delta that is not rejected by the exact unconditional
// test of p1 - p2 <= delta by the statistic only_first - only_second, whose p-value is the largest
// over all p1 + p2 up to an upper confidence bound of it, plus that bound's error probability
// (Berger and Boos, "P values maximized over a confidence set for the nuisance parameter", Journal
// of the American Statistical Association 89, 1994). The upper end mirrors it.
//
// Takes less than 1 ms where 2,000 of 10,000 samples are discordant.
Interval PairedDifferenceInterval(int64_t only_first, int64_t only_second, int64_t n,
                                  double confidence_level);

// About the same, without the guarantee: nothing is proven of the ends, which can lie a little
// inside of the true ones. For what is only told as "about". Quick for any n.
Interval PairedDifferenceEstimate(int64_t only_first, int64_t only_second, int64_t n,
                                  double confidence_level);

}  // namespace assay

#endif  // ASSAY_CORE_STATISTICS_PAIRED_DIFFERENCE_H_
