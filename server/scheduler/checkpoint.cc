#include "server/scheduler/checkpoint.h"

#include <utility>

#include "core/base/errors.h"
#include "core/base/log.h"
#include "core/base/pass_counts.h"

namespace assay::scheduler {
namespace {

// a + sign * b
Effort Sum(const Effort& a, const Effort& b, int sign) {
  Effort sum;
  sum.passes = a.passes;
  AddPasses(b.passes, &sum.passes, sign);
  sum.model_seconds = a.model_seconds + sign * b.model_seconds;
  sum.other_seconds = a.other_seconds + sign * b.other_seconds;
  sum.energy_joules = a.energy_joules && b.energy_joules
                          ? std::optional<double>(*a.energy_joules + sign * *b.energy_joules)
                          : std::nullopt;
  return sum;
}

}  // namespace

Effort Effort::operator+(const Effort& other) const { return Sum(*this, other, 1); }
Effort Effort::operator-(const Effort& other) const { return Sum(*this, other, -1); }

absl::StatusOr<Checkpoint> Checkpoint::Open(store::TaskQueue& queue,
                                            const store::ClaimedTask& claim,
                                            std::function<std::optional<double>()> joules) {
  Checkpoint checkpoint(queue, claim, std::move(joules));
  ASSAY_ASSIGN_OR_RETURN(checkpoint.earlier_, queue.ReadCheckpoint(claim));
  if (!checkpoint.earlier_) return checkpoint;
  const store::TaskCheckpoint& earlier = *checkpoint.earlier_;
  checkpoint.before_ = {earlier.outcomes.passes(), earlier.effort.model_seconds,
                        earlier.effort.other_seconds, earlier.effort.energy_joules};
  if (earlier.effort.assay_version != ASSAY_VERSION) {
    LogInfo("a task starts over: its checkpoint is of another version",
            {{"evaluation", claim.task.evaluation},
             {"task", claim.task.id},
             {"version", earlier.effort.assay_version}});
    checkpoint.earlier_.reset();
    return checkpoint;
  }
  checkpoint.stored_ = checkpoint.before_;
  checkpoint.numerics_ = earlier.numerics;
  for (const v1::Outcome& outcome : earlier.outcomes.outcomes()) {
    checkpoint.samples_.insert(outcome.sample());
  }
  return checkpoint;
}

void Checkpoint::TurnTo(const v1::NumericsFingerprint& numerics) {
  if (numerics.SerializeAsString() == numerics_.SerializeAsString()) return;
  if (!samples_.empty()) {
    LogInfo("a task starts over: its checkpoint is of other numerics",
            {{"evaluation", claim_.task.evaluation},
             {"task", claim_.task.id},
             {"samples", static_cast<int64_t>(samples_.size())}});
  }
  numerics_ = numerics;
  samples_.clear();
  new_.Clear();
  // It drops what it has, with what that took.
  stored_ = Effort();
}

void Checkpoint::Add(const engine_rpc::v1::RunEvent::Checkpoint& event) {
  TurnTo(event.numerics());
  for (const v1::Outcome& outcome : event.outcomes().outcomes()) {
    // A run that started over may tell of a sample twice.
    if (samples_.insert(outcome.sample()).second) *new_.add_outcomes() = outcome;
  }
  run_ = {event.outcomes().passes(), event.model_seconds(), event.other_seconds(),
          run_.energy_joules};
}

absl::Status Checkpoint::Store() {
  if (new_.outcomes_size() == 0) return absl::OkStatus();
  run_.energy_joules = joules_();
  const Effort total = before_ + run_;
  const Effort part = total - stored_;
  store::TaskCheckpoint checkpoint;
  checkpoint.outcomes = new_;
  *checkpoint.outcomes.mutable_passes() = part.passes;
  checkpoint.numerics = numerics_;
  checkpoint.effort = {ASSAY_VERSION, part.model_seconds, part.other_seconds, part.energy_joules};
  ASSAY_RETURN_IF_ERROR(queue_->AddToCheckpoint(claim_, checkpoint));
  stored_ = total;
  new_.Clear();
  return absl::OkStatus();
}

Effort Checkpoint::Total(Effort run) const { return before_ + run; }

}  // namespace assay::scheduler
