// What the operator tells the workers (to begin nothing, to give back what runs), and what the
// workers tell the operator: what each is at, and how fast.
//
// A pause is remembered and holds over restarts: whoever paused a queue has a reason that a crash
// does not end. Of a store that several assayds share it is in the store, and of all of them. A
// drain prepares the end of a process and ends with it.
#ifndef ASSAY_SERVER_SCHEDULER_WORK_CONTROL_H_
#define ASSAY_SERVER_SCHEDULER_WORK_CONTROL_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "server/store/instances.h"

namespace assay::scheduler {

// Thread-safe.
class WorkControl {
 public:
  // What a worker is at.
  struct RunningTask {
    int64_t task = 0;
    std::string evaluation;
    std::string condition;
    std::string model;
    int64_t first_sample = 0;
    int32_t samples = 0;
    int attempt = 0;
    int64_t start_micros = 0;
    int64_t samples_done = 0;
    double fraction_done = 0;
    // Since the engine began; nullopt before the first finished sample.
    std::optional<double> samples_per_second;
  };
  struct WorkerState {
    std::string device;
    // Was let in to claim a task; whether it got one is not known yet.
    bool claiming = false;
    std::optional<RunningTask> task;
    int64_t tasks_done = 0;
    int64_t samples_done = 0;
  };
  struct State {
    bool paused = false;
    int64_t pause_micros = 0;
    std::string pause_reason;
    bool draining = false;
    int64_t drain_micros = 0;
    int running_tasks = 0;
  };

  // `clock` must outlive it.
  explicit WorkControl(const Clock& clock) : clock_(clock) {}

  // --- the operator

  // Remembers pauses in the file at `path` from now on, and takes up the one that is there.
  absl::Status RememberIn(const std::string& path);
  // The same in a store, which others may pause, too: RefreshPause hears of that. `store` must
  // outlive it.
  absl::Status RememberIn(store::Instances& store);
  // Whether it is another state than it was.
  absl::StatusOr<bool> RefreshPause();
  // Holds once this returns OK, over restarts too where it is to be remembered. Pausing again
  // replaces the reason.
  absl::Status Pause(const std::string& reason);
  // `release`: tasks that run now are given back.
  void Drain(bool release);
  // Ends both.
  absl::Status Resume();
  void EndDrain();
  // Called, by whoever drains or resumes, after that; nullptr: nobody is.
  void OnDrainChange(std::function<void()> listener);
  State state() const;
  bool draining() const;
  // One for each device that has a worker, by device.
  std::vector<WorkerState> Workers() const;
  // Seconds until an evaluation has done `work` in all, having done `done` by now, at the pace
  // since this process works on it, or knows that others do (NotePace); nullopt where too little of
  // it was seen, or while nothing is begun.
  std::optional<double> RemainingSeconds(const std::string& evaluation, double done,
                                         double work) const;

  // An evaluation that others work on has done `work_done` by now.
  void NotePace(const std::string& evaluation, double work_done);

  // --- workers

  // Whether a task may be claimed. Until EndTask the worker counts as running one.
  bool BeginClaim(const std::string& device);
  // Grows with every drain that gives tasks back.
  int64_t releases() const;
  void AddWorker(const std::string& device);
  // `evaluation_work_done`: of the whole evaluation, before this task.
  void BeginTask(const std::string& device, const RunningTask& task, double evaluation_work_done);
  // The engine is ready, and begins.
  void BeginRun(const std::string& device);
  void UpdateTask(const std::string& device, int64_t samples_done, double fraction_done);
  // Of a claim that found nothing, too.
  void EndTask(const std::string& device, bool committed);

 private:
  void SetPause(const std::optional<store::Pause>& pause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellListener();
  void AddOrigin(const std::string& evaluation, double work_done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  using SteadyClock = std::chrono::steady_clock;
  struct Entry {
    WorkerState shown;
    bool claiming = false;
    // When the engine began with the task.
    std::optional<SteadyClock::time_point> began;
  };
  // Where an evaluation was when this process first worked on it since the last pause.
  struct Origin {
    SteadyClock::time_point time;
    double work = 0;
    int64_t use = 0;
  };

  const Clock& clock_;
  // Held while a pause is remembered, ended or looked up, which can take long: workers do not wait
  // for it.
  Mutex pausing_ ABSL_ACQUIRED_BEFORE(mutex_);
  // One of them, or none: not remembered.
  std::string path_ ABSL_GUARDED_BY(pausing_);
  store::Instances* store_ ABSL_GUARDED_BY(pausing_) = nullptr;
  mutable Mutex mutex_;
  Mutex listener_mutex_;
  std::function<void()> listener_ ABSL_GUARDED_BY(listener_mutex_);
  State state_ ABSL_GUARDED_BY(mutex_);
  int64_t releases_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Entry> workers_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Origin> origins_ ABSL_GUARDED_BY(mutex_);
  int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_WORK_CONTROL_H_
