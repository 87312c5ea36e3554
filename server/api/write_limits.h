// Ends calls whose clients take no message for too long: each of them holds one in memory. Clients
// that are gone are found by pings; this is for those that are there and do not read.
#ifndef ASSAY_SERVER_API_WRITE_LIMITS_H_
#define ASSAY_SERVER_API_WRITE_LIMITS_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <thread>
#include <unordered_map>

#include "core/base/mutex.h"

namespace assay::api {

// Thread-safe.
class WriteLimits {
 public:
  WriteLimits() = default;
  ~WriteLimits();
  // From now on a write may take this long. To be called once, before any call.
  void Start(std::chrono::milliseconds longest);

  // A write of the call begins; it is over, or the call is.
  void Begin(grpc::CallbackServerContext& call);
  void End(grpc::CallbackServerContext& call);

 private:
  using Clock = std::chrono::steady_clock;
  void Loop();

  std::chrono::milliseconds longest_{0};  // 0: for ever
  Mutex mutex_;
  std::condition_variable changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::unordered_map<grpc::CallbackServerContext*, Clock::time_point> writes_
      ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_WRITE_LIMITS_H_
