// What is kept of a task while it runs: the outcomes of samples that are finished, and what they
// took, so that a run that ends early is not lost. Whoever claims the task next runs the other
// samples only (docs/decisions/0032-nothing-is-computed-twice.md).
//
// Outcomes of one task have one fingerprint of numerics. What an earlier run has left is taken over
// by an engine of the same numerics alone; another one starts the task over.
//
// Not thread-safe.
#ifndef ASSAY_SERVER_SCHEDULER_CHECKPOINT_H_
#define ASSAY_SERVER_SCHEDULER_CHECKPOINT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/engine/v1/engine.pb.h"
#include "server/store/task_queue.h"

namespace assay::scheduler {

// What runs of a task have taken.
struct Effort {
  v1::PassCounts passes;
  double model_seconds = 0;
  double other_seconds = 0;
  std::optional<double> energy_joules = 0;  // nullopt: not known

  Effort operator+(const Effort& other) const;
  Effort operator-(const Effort& other) const;
};

class Checkpoint {
 public:
  // Of a task that was claimed just now, with what earlier runs have left. `joules` tells what this
  // run has used by now.
  static absl::StatusOr<Checkpoint> Open(store::TaskQueue& queue, const store::ClaimedTask& claim,
                                         std::function<std::optional<double>()> joules);

  // What earlier runs have left; nullptr: nothing.
  const store::TaskCheckpoint* earlier() const { return earlier_ ? &*earlier_ : nullptr; }
  // Takes what a run tells. What an engine told under other numerics counts no more.
  void Add(const engine_rpc::v1::RunEvent::Checkpoint& event);
  // The run turned out to have these numerics: forgets outcomes of others, and says so in the log.
  void TurnTo(const v1::NumericsFingerprint& numerics);
  // Stores what has been added since the last time, if something has. What cannot be stored is
  // tried again with what comes next.
  absl::Status Store();
  // What all runs have taken, where known, this one having taken `run`.
  Effort Total(Effort run) const;

 private:
  Checkpoint(store::TaskQueue& queue, store::ClaimedTask claim,
             std::function<std::optional<double>()> joules)
      : queue_(&queue), claim_(std::move(claim)), joules_(std::move(joules)) {}

  store::TaskQueue* queue_;
  store::ClaimedTask claim_;
  std::function<std::optional<double>()> joules_;
  std::optional<store::TaskCheckpoint> earlier_;
  Effort before_;  // of earlier runs
  Effort run_;     // of this one, as told last
  Effort stored_;  // what the store knows of the two
  v1::NumericsFingerprint numerics_;
  // Under these numerics.
  std::set<int64_t> samples_;
  v1::OutcomeBatch new_;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_CHECKPOINT_H_
