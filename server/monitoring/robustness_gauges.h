// Reports as gauges: accuracy, class-wise accuracy, CFPS, certified accuracy and radii of the
// latest finished evaluation of each (model, dataset). However many classes, conditions and
// evaluations there are, the number of series is bounded.
#ifndef ASSAY_SERVER_MONITORING_ROBUSTNESS_GAUGES_H_
#define ASSAY_SERVER_MONITORING_ROBUSTNESS_GAUGES_H_

#include <prometheus/collectable.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "assay/v1/reports.pb.h"
#include "core/base/mutex.h"

namespace assay::monitoring {

struct GaugeLimits {
  // (model, dataset) pairs; the oldest leaves.
  size_t reports = 100;
  // Classes of a condition that are shown. Of more, only the worst and the best ten are; 0: none.
  int classes = 100;
  // In all. The newest pairs come first; of one that does not fit, the gauges of classes are left
  // out, or else all of them.
  size_t series = 20'000;
};

// Thread-safe.
class RobustnessGauges final : public prometheus::Collectable {
 public:
  explicit RobustnessGauges(const GaugeLimits& limits) : limits_(limits) {}
  void Publish(const v1::Report& report, int64_t end_time_micros);
  void Withdraw(const std::string& evaluation);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  struct Entry {
    v1::Report report;  // only what is shown
    int64_t end_time_micros = 0;
    size_t series = 0;        // but for those of classes
    size_t class_series = 0;  // of classes
  };
  const GaugeLimits limits_;
  mutable Mutex mutex_;
  // By model and dataset.
  std::map<std::pair<std::string, std::string>, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_ROBUSTNESS_GAUGES_H_
