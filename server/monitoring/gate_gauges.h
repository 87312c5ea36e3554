// Verdicts of gates as gauges, of the highest judged version of each model, on each dataset: what a
// failed version said is over when the next one has been judged.
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
  // Shows at most so many pairs of model and dataset; the oldest leaves.
  explicit GateGauges(size_t most) : most_(most) {}
  void Publish(const JudgedGates& gates);
  void Withdraw(const std::string& evaluation);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const size_t most_;
  mutable Mutex mutex_;
  // By series and dataset.
  std::map<std::pair<std::string, std::string>, JudgedGates> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_GATE_GAUGES_H_
