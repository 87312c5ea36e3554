#include "server/api/write_limits.h"

#include <grpc/grpc.h>

#include <algorithm>
#include <vector>

namespace assay::api {

WriteLimits::~WriteLimits() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void WriteLimits::Start(std::chrono::milliseconds longest) {
  longest_ = longest;
  thread_ = std::thread([this] { Loop(); });
}

void WriteLimits::Begin(grpc::CallbackServerContext& call) {
  if (longest_.count() == 0) return;
  MutexLock lock(mutex_);
  writes_[&call] = Clock::now() + longest_;
}

void WriteLimits::End(grpc::CallbackServerContext& call) {
  if (longest_.count() == 0) return;
  MutexLock lock(mutex_);
  writes_.erase(&call);
}

void WriteLimits::Loop() {
  const auto look_every =
      std::clamp(longest_ / 10, std::chrono::milliseconds(10), std::chrono::milliseconds(1000));
  while (true) {
    std::vector<grpc_call*> late;
    {
      MutexLock lock(mutex_);
      if (lock.WaitFor(changed_, look_every,
                       [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stop_; })) {
        return;
      }
      const Clock::time_point now = Clock::now();
      for (auto it = writes_.begin(); it != writes_.end();) {
        if (it->second > now) {
          ++it;
          continue;
        }
        // It may end at any time: gRPC's own count keeps what is cancelled.
        grpc_call_ref(it->first->c_call());
        late.push_back(it->first->c_call());
        it = writes_.erase(it);
      }
    }
    // Not under the lock: it may end the call in here.
    for (grpc_call* call : late) {
      grpc_call_cancel_with_status(call, GRPC_STATUS_DEADLINE_EXCEEDED,
                                   "the client has not read for too long", nullptr);
      grpc_call_unref(call);
    }
  }
}

}  // namespace assay::api
