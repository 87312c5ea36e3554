// What an engine process uses: to be asked for after its end, too, when its object is gone.
#ifndef ASSAY_SERVER_SCHEDULER_ENGINE_USAGE_H_
#define ASSAY_SERVER_SCHEDULER_ENGINE_USAGE_H_

#include "core/base/mutex.h"
#include "server/monitoring/system_usage.h"

namespace assay::scheduler {

// Thread-safe.
class EngineUsage {
 public:
  explicit EngineUsage(int pid) : pid_(pid) {}

  // Collects the process once it has ended: then true, once, with how in `exit_status`. Does not
  // wait.
  bool Collect(int* exit_status);
  // After its end: no memory, and all of its CPU seconds.
  monitoring::ProcessUsage Read() const;
  bool ended() const;

 private:
  const int pid_;
  // Between the end and the collection of a process its number is not given to another.
  mutable Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  double cpu_seconds_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_ENGINE_USAGE_H_
