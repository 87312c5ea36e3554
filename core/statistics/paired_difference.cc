#include "core/statistics/paired_difference.h"

#include "core/statistics/binomial_ends.h"

namespace assay {
namespace {

// Of the error that an interval may have, what its two parts get.
constexpr double kOfDiffering = 0.05, kOfDirection = 0.9;

// Each wrong with probability at most half of `error`.
Interval Ends(double k, double n, double error) {
  return {BinomialLower(k, n, error / 2), BinomialUpper(k, n, error / 2)};
}

}  // namespace

Interval PairedDifference(double only_first, double only_second, double n,
                          double confidence_level) {
  const double error = 1 - confidence_level;
  const double differing = only_first + only_second;
  const Interval psi = Ends(differing, n, kOfDiffering * error);
  const Interval theta =
      differing <= 0 ? Interval{0, 1} : Ends(only_first, differing, kOfDirection * error);
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
