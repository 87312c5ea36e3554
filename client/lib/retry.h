// When to try again, and for how long: exponential backoff with jitter, the server's own wish
// (google.rpc.RetryInfo) first, and an end when nothing has moved for a while.
#ifndef ASSAY_CLIENT_LIB_RETRY_H_
#define ASSAY_CLIENT_LIB_RETRY_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "core/base/clock.h"

namespace assay::client {

struct RetryOptions {
  double first_delay_seconds = 0.2;
  double longest_delay_seconds = 8;
  // Without progress for this long, a failure is final.
  double patience_seconds = 60;
  // The system's clock unless a test brings its own.
  const Clock* clock = nullptr;
  // Waits; false when interrupted. Sleeps unless a test brings its own.
  std::function<bool(double seconds)> sleep;
};

// Whether the same call may succeed later: UNAVAILABLE, unless it says that the model killed its
// engine.
bool IsRetryable(const absl::Status& status);

// One run of attempts at one thing. Not thread-safe. `options` must be complete (clock and sleep
// set) and outlive it.
class Backoff {
 public:
  explicit Backoff(const RetryOptions& options);
  // Something moved: patience and delays start afresh.
  void Progress();
  // Waits and returns OK when the failed attempt is worth repeating; otherwise the status to give
  // up with.
  absl::Status Wait(const absl::Status& failure);

 private:
  const RetryOptions& options_;
  double next_delay_;
  // Time of the first failure since the last progress; < 0 without one.
  int64_t failing_since_micros_ = -1;
};

}  // namespace assay::client

#endif  // ASSAY_CLIENT_LIB_RETRY_H_
