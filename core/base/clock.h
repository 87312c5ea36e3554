// Time comes from a Clock, so that tests can move it.
#ifndef ASSAY_CORE_BASE_CLOCK_H_
#define ASSAY_CORE_BASE_CLOCK_H_

#include <atomic>
#include <chrono>
#include <cstdint>

namespace assay {

class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds since the Unix epoch.
  virtual int64_t NowMicros() const = 0;
};

class SystemClock final : public Clock {
 public:
  int64_t NowMicros() const override {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

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

#endif  // ASSAY_CORE_BASE_CLOCK_H_
