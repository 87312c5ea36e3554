#ifndef ASSAY_TESTS_MANUAL_CLOCK_H_
#define ASSAY_TESTS_MANUAL_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "core/base/clock.h"

namespace assay {

// Stands still until it is moved. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t now_micros = 1'700'000'000'000'000) : now_(now_micros) {}
  int64_t NowMicros() const override { return now_; }
  void AdvanceSeconds(double seconds) { now_ += static_cast<int64_t>(seconds * 1e6); }

 private:
  std::atomic<int64_t> now_;
};

}  // namespace assay

#endif  // ASSAY_TESTS_MANUAL_CLOCK_H_
