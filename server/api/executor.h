// A few threads for what blocks (disk, storage, starting engines), so that gRPC's own threads never
// do. Bounded: a call that finds the queue full is refused.
#ifndef ASSAY_SERVER_API_EXECUTOR_H_
#define ASSAY_SERVER_API_EXECUTOR_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "core/base/mutex.h"

namespace assay::api {

// Thread-safe.
class Executor {
 public:
  Executor(int threads, size_t max_queue);
  // Runs what is queued, then stops.
  ~Executor();
  // A new call. False when the queue is full.
  bool Submit(std::function<void()> job);
  // The next step of a call that was admitted: never refused. A call has one step waiting at most,
  // so these are bounded by the calls that are open.
  void Continue(std::function<void()> step);

 private:
  void Loop();

  const size_t max_queue_;
  Mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_EXECUTOR_H_
