// Who needs to know what: workers hear of new tasks, watchers of changed evaluations, and everybody
// of the progress of tasks that are running right now (which is not stored: a task counts once it
// is committed).
#ifndef ASSAY_SERVER_SCHEDULER_HUB_H_
#define ASSAY_SERVER_SCHEDULER_HUB_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "core/base/mutex.h"

namespace assay::scheduler {

// Progress of the running tasks of one evaluation, to be added to what the store says.
struct RunningProgress {
  int64_t samples_done = 0;
  double work_done = 0;
  std::string condition;  // of one of them
};

// Thread-safe.
class Hub {
 public:
  Hub();
  // All subscriptions must have ended.
  ~Hub();

  // --- workers ---
  void NotifyWork();
  // Waits until NotifyWork since the caller's last call, or the time is up (another process may
  // have added work). `seen` is the caller's own memory of that, 0 at first: one notification wakes
  // every worker.
  void WaitForWork(std::chrono::milliseconds timeout, int64_t* seen);

  void SetRunning(const std::string& evaluation, int64_t task, const RunningProgress& progress);
  void ClearRunning(const std::string& evaluation, int64_t task);
  RunningProgress GetRunning(const std::string& evaluation) const;
  // The same for every evaluation that has running tasks.
  std::map<std::string, RunningProgress> GetAllRunning() const;

  // --- watchers ---
  // The evaluation may look different now.
  void NotifyChanged(const std::string& evaluation);
  // Calls `poke` soon after every change, and once a second (changes by other processes), merged to
  // at most ten calls a second, on the hub's thread. After Unsubscribe returns it is not called any
  // more; do not call Unsubscribe from `poke`.
  int64_t Subscribe(const std::string& evaluation, std::function<void()> poke);
  void Unsubscribe(int64_t subscription);

 private:
  struct Subscription {
    std::string evaluation;
    std::function<void()> poke;
  };
  void PumpLoop();

  mutable Mutex mutex_;
  std::condition_variable work_changed_, pump_changed_, poke_done_;
  int64_t work_ ABSL_GUARDED_BY(mutex_) = 0;  // number of notifications
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::map<int64_t, RunningProgress>> running_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> dirty_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, std::shared_ptr<Subscription>> subscriptions_ ABSL_GUARDED_BY(mutex_);
  int64_t next_subscription_ ABSL_GUARDED_BY(mutex_) = 1;
  int64_t poking_ ABSL_GUARDED_BY(mutex_) = 0;  // the subscription being called; 0: none
  std::thread pump_;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_HUB_H_
