// Claims tasks and has them computed, one at a time on one device.
//
// A task is renewed while it runs, and its outcomes are committed together with `done` under the
// claim's fence. Whatever stops the worker (a crash, a lost lease, a shutdown), the task is claimed
// again by somebody and nothing is counted twice.
#ifndef ASSAY_SERVER_SCHEDULER_WORKER_H_
#define ASSAY_SERVER_SCHEDULER_WORKER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/monitoring/metrics.h"
#include "server/scheduler/energy_meter.h"
#include "server/scheduler/engine_pool.h"
#include "server/scheduler/hub.h"
#include "server/scheduler/kept_bytes.h"
#include "server/scheduler/work_control.h"
#include "server/store/blob_store.h"
#include "server/store/job_store.h"

namespace assay::scheduler {

struct WorkerOptions {
  std::string owner;  // unique among the workers of one store
  std::string device;
  double lease_seconds = 30;
  // Attempts of a task whose engine died, before the sample is looked for at which it dies; three
  // times as many of one whose engine was killed from outside, which is not the model's fault.
  int max_attempts = 3;
  // Seconds before the second attempt; before each one after it, four times as many as before the
  // last: what killed the engine may be over by then.
  double retry_wait_seconds = 5;
  // Seconds without any progress after which a model counts as hanging.
  double stall_seconds = 600;
  // Seconds that a cancelled engine has to stop before it is killed.
  double cancel_grace_seconds = 5;
  // How often outcomes of finished samples are stored while a task runs; what an engine had told by
  // its end is stored in any case.
  double checkpoint_seconds = 30;
  // Called with the evaluation's name after each commit, again and again while the store has no
  // room or no luck; another error fails the evaluation. Empty: nothing is to be done.
  std::function<absl::Status(const std::string& evaluation)> after_commit = nullptr;
  // Of the machine, for all workers of a process; nullptr: energy is not measured.
  EnergyMeter* energy = nullptr;
  // Tells whether to begin tasks, and is told of them; nullptr: nobody is asked. Must outlive the
  // worker.
  WorkControl* control = nullptr;
};

class Worker {
 public:
  Worker(WorkerOptions options, store::JobStore& store, store::BlobStore& blobs, EnginePool& pool,
         Hub& hub, monitoring::Metrics& metrics);
  // Stops, giving a running task back to the queue.
  ~Worker();
  // Asks it to stop; does not wait.
  void Stop();

 private:
  void Loop();
  // Waits for work and does one task of it, if there is some.
  void DoNext();
  // Whether the running task is to be given back: the worker or the queue is being stopped.
  bool GivesBack() const;
  // Runs one claimed task to its commit, or to the first error.
  absl::Status Execute(const store::ClaimedTask& claim);
  // What becomes of a task that was not committed.
  void HandleFailure(const store::ClaimedTask& claim, const absl::Status& status);
  // Whether the task can be cut in two.
  bool Splits(const store::ClaimedTask& claim);
  // Of a task that is not tried again: the condition, or the whole evaluation, has failed.
  absl::Status Fail(const store::ClaimedTask& claim, const v1::Failure& failure);
  // Blobs that a task needs, again and again while storage does not answer or has no room, and
  // the task is wanted. kStorageFailed when one is not there.
  absl::StatusOr<std::vector<store::LocalBlob>> Fetch(const std::string& evaluation,
                                                      const std::vector<std::string>& digests,
                                                      const std::function<bool()>& unwanted);
  // Calls `store` again and again while that has no room or no luck, and nobody asks to stop.
  absl::Status Persist(const std::string& evaluation, const std::function<absl::Status()>& store);
  // Commits, until the lease is lost.
  absl::Status Commit(const store::ClaimedTask& claim, const KeptBytes& kept,
                      v1::OutcomeBatch* outcomes, const v1::NumericsFingerprint& numerics,
                      const store::TaskEffort& effort);

  const WorkerOptions options_;
  store::JobStore& store_;
  store::BlobStore& blobs_;
  EnginePool& pool_;
  Hub& hub_;
  monitoring::Metrics& metrics_;
  std::atomic<bool> stopping_ = false;
  // Of the worker's thread only.
  std::string last_model_;
  int64_t work_seen_ = 0;
  int64_t releases_ = 0;  // of the control, when the task began
  // How far the task got.
  enum class Stage { kPrepared, kRun, kEngineKilledFromOutside, kStalled };
  Stage stage_ = Stage::kPrepared;
  std::thread thread_;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_WORKER_H_
