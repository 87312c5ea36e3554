// Time comes from a Clock, so that tests can move it.
#ifndef ASSAY_CORE_BASE_CLOCK_H_
#define ASSAY_CORE_BASE_CLOCK_H_

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

}  // namespace assay

#endif  // ASSAY_CORE_BASE_CLOCK_H_
