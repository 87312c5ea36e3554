// Reports as gauges: accuracy, class-wise accuracy, CFPS, certified accuracy and p_A with their
// intervals, of the latest finished evaluation of each (model, dataset); and the accuracies of the
// one before it, by which a change is seen (docs/decisions/0025-previous-evaluation.md). However
// many classes, conditions and evaluations there are, the number of series is bounded.
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
  // In all. What is of all samples has room before what is of classes, and newer pairs before
  // older ones; of one that does not fit, the intervals of classes are left out, or all gauges of
  // classes, or else all of them.
  size_t series = 20'000;
};

// What a report is published with.
struct Publication {
  int64_t end_time_micros = 0;
  // What the model is a version of; empty: of nothing but itself.
  std::string lineage = {};
  // Of the evaluation before it: of the same lineage, on the same dataset. nullptr: there is none.
  const v1::Report* previous = nullptr;
  int64_t previous_end_time_micros = 0;
};

// Thread-safe.
class RobustnessGauges final : public prometheus::Collectable {
 public:
  explicit RobustnessGauges(const GaugeLimits& limits) : limits_(limits) {}
  void Publish(const v1::Report& report, const Publication& publication);
  void Withdraw(const std::string& evaluation);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  struct Entry {
    v1::Report report;  // only what is shown
    int64_t end_time_micros = 0;
    std::string lineage;
    v1::Report previous;  // only accuracies of conditions that both have
    int64_t previous_end_time_micros = 0;
    // But for those of classes and of the previous evaluation.
    size_t series = 0;
    size_t previous_series = 0;
    size_t class_series = 0;
    size_t class_interval_series = 0;
  };
  const GaugeLimits limits_;
  mutable Mutex mutex_;
  // By model and dataset.
  std::map<std::pair<std::string, std::string>, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_ROBUSTNESS_GAUGES_H_
