#include "core/statistics/paired_difference.h"

namespace assay {
namespace {

// Of the error that an interval may have, what its two parts get.
constexpr double kOfDiffering = 0.05, kOfDirection = 0.9;

}  // namespace

Interval PairedDifference(int64_t only_first, int64_t only_second, int64_t n,
                          double confidence_level) {
  const double error = 1 - confidence_level;
  const int64_t differing = only_first + only_second;
  const Interval psi = ClopperPearson(differing, n, 1 - kOfDiffering * error);
  const Interval theta = differing == 0
                             ? Interval{0, 1}
                             : ClopperPearson(only_first, differing, 1 - kOfDirection * error);
  const double low = 2 * theta.lower - 1, high = 2 * theta.upper - 1;
  return {low * (low < 0 ? psi.upper : psi.lower), high * (high > 0 ? psi.upper : psi.lower)};
}

double LevelOfEach(int64_t intervals, double confidence_level) {
  return 1 - (1 - confidence_level) / static_cast<double>(intervals);
}

Interval SeparateDifference(const Interval& x, const Interval& y, double factor) {
  return {x.lower - factor * y.upper, x.upper - factor * y.lower};
}

}  // namespace assay
