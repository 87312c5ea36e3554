// Reports as gauges: accuracy, class-wise accuracy, CFPS, certified accuracy and radii of the
// latest finished evaluation of each (model, dataset).
#ifndef ASSAY_SERVER_MONITORING_ROBUSTNESS_GAUGES_H_
#define ASSAY_SERVER_MONITORING_ROBUSTNESS_GAUGES_H_

#include <prometheus/collectable.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "assay/v1/reports.pb.h"
#include "common/mutex.h"

namespace assay::monitoring {

// Thread-safe.
class RobustnessGauges final : public prometheus::Collectable {
 public:
  explicit RobustnessGauges(size_t max_reports) : max_reports_(max_reports) {}
  void Publish(const v1::Report& report, int64_t end_time_micros);
  void Withdraw(const std::string& evaluation);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  struct Entry {
    v1::Report report;
    int64_t end_time_micros = 0;
  };
  const size_t max_reports_;
  mutable Mutex mutex_;
  // By model and dataset.
  std::map<std::pair<std::string, std::string>, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_ROBUSTNESS_GAUGES_H_
