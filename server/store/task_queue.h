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
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "server/store/content.h"
#include "server/store/task.h"

namespace assay::store {

struct ClaimedTask {
  Task task;
  int64_t fence = 0;  // the fencing token of this claim
  int attempt = 0;    // 1 for the first
  // Whose turn it was, when several share the queue; nullopt: nobody else waited.
  std::optional<std::string> share = {};
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
  // Outcomes that were there already, of other tasks.
  int64_t reused_samples = 0;
  // What the committed outcomes are to be found by.
  std::vector<ContentRange> content = {};
};

// What is known of a task before it is done.
struct TaskCheckpoint {
  // Of the samples that are finished, without what is found out when all are; and the passes.
  v1::OutcomeBatch outcomes;
  v1::NumericsFingerprint numerics;
  TaskEffort effort;
};

// How far a claimed task is.
struct TaskProgress {
  int64_t samples_done = 0;
  // Of Task::work.
  double work_done = 0;
};

class TaskQueue {
 public:
  virtual ~TaskQueue() = default;

  // Claims the next task for `owner` until now + lease_micros: open ones, or those whose lease ran
  // out. Those of the highest priority come first; among them those of the share (ShareBy) that has
  // been served least, in seconds of devices while it had to share; of that, oldest evaluation
  // first, then task order. nullopt when there is none, and while the queue is paused
  // (instances.h). Moves the evaluation from QUEUED to RUNNING. `prefer_model` (full name, may be
  // empty) puts tasks of evaluations with that model first where neither priority nor share is
  // against it, so that loaded models are used. Evaluations that are pinned to a kind of devices
  // other than `device_kind` are left out; "": all that are pinned.
  virtual absl::StatusOr<std::optional<ClaimedTask>> ClaimTask(const std::string& owner,
                                                               int64_t lease_micros,
                                                               const std::string& prefer_model,
                                                               const std::string& device_kind) = 0;
  absl::StatusOr<std::optional<ClaimedTask>> ClaimTask(const std::string& owner,
                                                       int64_t lease_micros,
                                                       const std::string& prefer_model) {
    return ClaimTask(owner, lease_micros, prefer_model, "");
  }
  // Extends the lease, and remembers how far the task is, if that is known (EvaluationRecord has
  // the sum). kLeaseLost when the claim is no longer the current one, kCancelled when the
  // evaluation has ended.
  virtual absl::Status RenewLease(const ClaimedTask& claim, int64_t lease_micros,
                                  const std::optional<TaskProgress>& progress) = 0;
  absl::Status RenewLease(const ClaimedTask& claim, int64_t lease_micros) {
    return RenewLease(claim, lease_micros, std::nullopt);
  }
  // Stores the outcomes and marks the task done, in one transaction; the last one makes the
  // evaluation SUCCEEDED (unless it is RECEIVING, or ends by SetDecision). kLeaseLost as above;
  // kCancelled when the evaluation has ended.
  virtual absl::Status CommitTask(const ClaimedTask& claim, const v1::OutcomeBatch& outcomes,
                                  const v1::NumericsFingerprint& numerics,
                                  const TaskEffort& effort) = 0;
  // Adds outcomes of finished samples to the checkpoint of the claimed task, which CommitTask
  // drops. What is there of other numerics or of another version of Assay goes, since outcomes of a
  // task have one of each. kLeaseLost and kCancelled as above.
  virtual absl::Status AddToCheckpoint(const ClaimedTask& claim, const TaskCheckpoint& part) = 0;
  // All parts together; nullopt where there are none.
  virtual absl::StatusOr<std::optional<TaskCheckpoint>> ReadCheckpoint(
      const ClaimedTask& claim) = 0;
  // Gives the task back, to be claimed again in `wait_micros` (an hour at most) at the earliest,
  // unless the clock is set back meanwhile. `count_attempt` false takes this attempt off the count
  // (a shutdown is nobody's fault). OK without effect when the claim is no longer the current one.
  virtual absl::Status ReleaseTask(const ClaimedTask& claim, bool count_attempt,
                                   int64_t wait_micros) = 0;

  // Puts two tasks in the place of one that is claimed, of more than one sample: its first half and
  // the rest, both to be claimed at once, with `attempts` behind them. OK without effect when the
  // claim is no longer the current one.
  virtual absl::Status SplitTask(const ClaimedTask& claim, int attempts) = 0;
  // Ends the work on the condition of a claimed task: its tasks that are not done are nobody's,
  // until a retry. Others of the evaluation go on; when nothing is left to do it is FAILED.
  // kLeaseLost and kCancelled as above.
  virtual absl::Status GiveUpCondition(const ClaimedTask& claim, const v1::Failure& failure) = 0;

  // Evaluations made from now on whose values of this label differ share the queue by turns; those
  // without it are one share. Empty, as at first: nobody shares.
  virtual void ShareBy(const std::string& label) = 0;

  // How many tasks are in each state ("OPEN", "LEASED", "DONE").
  virtual absl::StatusOr<std::map<std::string, int64_t>> CountTasks() = 0;
  // When the oldest claimable task was created; nullopt for an empty queue.
  virtual absl::StatusOr<std::optional<int64_t>> OldestOpenTaskMicros() = 0;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_TASK_QUEUE_H_
