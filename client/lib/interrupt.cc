#include "client/lib/interrupt.h"

#include <utility>

#include "core/base/errors.h"

namespace assay::client {

void Interrupt::Trigger() {
  MutexLock lock(mutex_);
  if (triggered_) return;
  triggered_ = true;
  // Under the lock, so that no action runs after its scope has ended.
  for (const auto& action : actions_) action();
  changed_.notify_all();
}

bool Interrupt::triggered() const {
  MutexLock lock(mutex_);
  return triggered_;
}

absl::Status Interrupt::Check() const {
  if (triggered()) return Error(Reason::kCancelled, "interrupted");
  return absl::OkStatus();
}

bool Interrupt::SleepFor(std::chrono::milliseconds duration) {
  MutexLock lock(mutex_);
  return !lock.WaitFor(changed_, duration,
                       [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return triggered_; });
}

bool Interrupt::ending() const {
  MutexLock lock(mutex_);
  return endings_ > 0;
}

Interrupt::Ending::Ending(Interrupt& interrupt) : interrupt_(interrupt) {
  MutexLock lock(interrupt_.mutex_);
  ++interrupt_.endings_;
}

Interrupt::Ending::~Ending() {
  MutexLock lock(interrupt_.mutex_);
  --interrupt_.endings_;
}

Interrupt::Scope::Scope(Interrupt& interrupt, std::function<void()> action)
    : interrupt_(interrupt) {
  MutexLock lock(interrupt_.mutex_);
  if (interrupt_.triggered_) action();
  position_ = interrupt_.actions_.insert(interrupt_.actions_.end(), std::move(action));
}

Interrupt::Scope::~Scope() {
  MutexLock lock(interrupt_.mutex_);
  interrupt_.actions_.erase(position_);
}

}  // namespace assay::client
