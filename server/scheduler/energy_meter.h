// What the machine's processors use while tasks run, as Linux tells it: the counters of its
// powercap class (RAPL), a folder for each processor package.
#ifndef ASSAY_SERVER_SCHEDULER_ENERGY_METER_H_
#define ASSAY_SERVER_SCHEDULER_ENERGY_METER_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/mutex.h"

namespace assay::scheduler {

// Thread-safe. What is used while several tasks run counts for each of them in equal parts, and
// what else the machine does counts, too.
class EnergyMeter {
 public:
  // The share of one task, from its making to Joules().
  class Share {
   public:
    explicit Share(EnergyMeter& meter);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    // nullopt where the machine does not tell: no counters, or none that this user may read.
    std::optional<double> Joules();

   private:
    friend class EnergyMeter;
    EnergyMeter& meter_;
    // Protected by the meter's mutex.
    double joules_ = 0;
    bool known_ = true;
  };

  explicit EnergyMeter(const std::string& directory = "/sys/class/powercap");

 private:
  struct Counter {
    std::string path;
    int64_t range = 0;  // microjoules; it starts again from 0 there
    int64_t last = 0;
  };

  // Divides what was used since the last call among the running shares.
  void Divide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  std::vector<Counter> counters_ ABSL_GUARDED_BY(mutex_);
  std::set<Share*> running_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_ENERGY_METER_H_
