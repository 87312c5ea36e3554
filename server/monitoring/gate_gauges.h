// Verdicts of gates as gauges, of the latest judged evaluation of each (model, dataset).
#ifndef ASSAY_SERVER_MONITORING_GATE_GAUGES_H_
#define ASSAY_SERVER_MONITORING_GATE_GAUGES_H_

#include <prometheus/collectable.h>

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "server/monitoring/judged_gates.h"

namespace assay::monitoring {

// Thread-safe.
class GateGauges final : public prometheus::Collectable {
 public:
  // Shows at most so many (model, dataset) pairs; the oldest leaves.
  explicit GateGauges(size_t most) : most_(most) {}
  void Publish(const JudgedGates& gates);
  void Withdraw(const std::string& evaluation);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const size_t most_;
  mutable Mutex mutex_;
  // By model and dataset.
  std::map<std::pair<std::string, std::string>, JudgedGates> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_GATE_GAUGES_H_
