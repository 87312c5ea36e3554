#include "core/statistics/separate_difference.h"

namespace assay {

double LevelOfEach(int64_t intervals, double confidence_level) {
  return 1 - (1 - confidence_level) / static_cast<double>(intervals);
}

Interval SeparateDifference(const Interval& x, const Interval& y, double factor) {
  return {x.lower - factor * y.upper, x.upper - factor * y.lower};
}

}  // namespace assay
