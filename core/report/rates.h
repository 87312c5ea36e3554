// Makes the Rate messages of a report: a share, its exact interval, or the reason why it is
// undefined.
#ifndef ASSAY_CORE_REPORT_RATES_H_
#define ASSAY_CORE_REPORT_RATES_H_

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "assay/v1/reports.pb.h"
#include "core/statistics/statistics.h"

namespace assay::report {

// Remembers intervals: a report asks for the same few counts thousands of times (1,000 classes of
// 50 samples have 51 possible accuracies). Not thread-safe.
class RateMaker {
 public:
  explicit RateMaker(double confidence_level) : confidence_level_(confidence_level) {}

  double confidence_level() const { return confidence_level_; }

  // numerator / denominator; without a denominator only `undefined_reason` is set.
  v1::Rate Make(int64_t numerator, int64_t denominator, absl::string_view undefined_reason);

 private:
  const double confidence_level_;
  absl::flat_hash_map<std::pair<int64_t, int64_t>, Interval> intervals_;
};

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_RATES_H_
