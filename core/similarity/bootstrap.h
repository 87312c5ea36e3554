// Percentile bootstrap (Efron, "Bootstrap methods: another look at the jackknife", Annals of
// Statistics 7, 1979) of means over samples, and of functions of such means.
#ifndef ASSAY_CORE_SIMILARITY_BOOTSTRAP_H_
#define ASSAY_CORE_SIMILARITY_BOOTSTRAP_H_

#include <functional>
#include <vector>

#include "core/base/random.h"
#include "core/statistics/statistics.h"

namespace assay {

// Draws of the bootstrap: its own error of the ends is some percent of their distance.
inline constexpr int kBootstrapDraws = 1000;

// Two-sided interval of `function` of the means of `columns`, each of which has a number for each
// sample, at least one. kBootstrapDraws times as many samples as there are are drawn with
// replacement, the same of all columns; the ends are the quantiles (1 -+ confidence_level) / 2 of
// what `function` says of their means, interpolated as R's type 7 and numpy do. The same key gives
// the same interval, and draws the same samples for any columns of that length. An approximation:
// with few samples, some tens, it is too narrow, and of samples that are all the same it has no
// width.
Interval BootstrapInterval(const std::vector<std::vector<double>>& columns,
                           const std::function<double(const std::vector<double>&)>& function,
                           double confidence_level, const RandomKey& key);

// Of the mean itself.
Interval BootstrapMeanInterval(const std::vector<double>& values, double confidence_level,
                               const RandomKey& key);

}  // namespace assay

#endif  // ASSAY_CORE_SIMILARITY_BOOTSTRAP_H_
