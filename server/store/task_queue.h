// The queue of tasks.
//
// A worker claims a task under a lease with a fencing token, renews the lease while progress
// arrives, and commits outcomes and `done` in one transaction that the token guards. A task whose
// lease ran out is claimed again with a higher token, after which the late worker's commit is
// refused (kLeaseLost). Times are the store's clock, in microseconds since the Unix epoch.
//
// Thread-safe. What a call has acknowledged is durable.
#ifndef ASSAY_SERVER_STORE_TASK_QUEUE_H_
#define ASSAY_SERVER_STORE_TASK_QUEUE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "server/store/task.h"

namespace assay::store {

struct ClaimedTask {
  Task task;
  int64_t fence = 0;  // the fencing token of this claim
  int attempt = 0;    // 1 for the first
};

// What a task took, for the provenance of reports.
struct TaskEffort {
  // Of the assayd whose engine ran it.
  std::string assay_version;
  // Summed over lanes, inside and outside of the model.
  double model_seconds = 0;
  double other_seconds = 0;
  // Of the machine's processors; nullopt: not known.
  std::optional<double> energy_joules = {};
};

class TaskQueue {
 public:
  virtual ~TaskQueue() = default;

  // Claims the next task for `owner` until now + lease_micros: open ones, or those whose lease ran
  // out, oldest evaluation first, then task order. nullopt when there is none. Moves the evaluation
  // from QUEUED to RUNNING. `prefer_model` (full name, may be empty) puts tasks of evaluations with
  // that model first, so that loaded models are used.
  virtual absl::StatusOr<std::optional<ClaimedTask>> ClaimTask(const std::string& owner,
                                                               int64_t lease_micros,
                                                               const std::string& prefer_model) = 0;
  // Extends the lease. kLeaseLost when the claim is no longer the current one, kCancelled when the
  // evaluation has ended.
  virtual absl::Status RenewLease(const ClaimedTask& claim, int64_t lease_micros) = 0;
  // Stores the outcomes and marks the task done, in one transaction; the last one makes the
  // evaluation SUCCEEDED (unless it is RECEIVING, or ends by SetDecision). kLeaseLost as above;
  // kCancelled when the evaluation has ended.
  virtual absl::Status CommitTask(const ClaimedTask& claim, const v1::OutcomeBatch& outcomes,
                                  const v1::NumericsFingerprint& numerics,
                                  const TaskEffort& effort) = 0;
  // Gives the task back, to be claimed again in `wait_micros` (an hour at most) at the earliest,
  // unless the clock is set back meanwhile. `count_attempt` false takes this attempt off the count
  // (a shutdown is nobody's fault). OK without effect when the claim is no longer the current one.
  virtual absl::Status ReleaseTask(const ClaimedTask& claim, bool count_attempt,
                                   int64_t wait_micros) = 0;

  // How many tasks are in each state ("OPEN", "LEASED", "DONE").
  virtual absl::StatusOr<std::map<std::string, int64_t>> CountTasks() = 0;
  // When the oldest claimable task was created; nullopt for an empty queue.
  virtual absl::StatusOr<std::optional<int64_t>> OldestOpenTaskMicros() = 0;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_TASK_QUEUE_H_
