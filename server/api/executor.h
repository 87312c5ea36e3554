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

// New calls and steps of open ones wait in a queue each, and take turns: a thousand streams that
// all have something to do hold up no call. Of several threads a quarter, and one at least, does no
// steps, as steps of uploads wait for the disk. Thread-safe.
class Executor {
 public:
  // `at_start` is called by each thread before its first job.
  Executor(int threads, size_t max_queue, std::function<void()> at_start = nullptr);
  // Runs what is queued, then stops.
  ~Executor();
  // A new call. False when too many of them wait.
  bool Submit(std::function<void()> job);
  // The next step of a call that was admitted: never refused. A call has one step waiting at most,
  // so these are bounded by the calls that are open.
  void Continue(std::function<void()> step);

 private:
  void Loop();
  bool MayStep() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !steps_.empty() && stepping_ < most_stepping_;
  }
  bool Done() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stop_ && calls_.empty() && steps_.empty();
  }

  const std::function<void()> at_start_;
  const size_t max_queue_;
  const int most_stepping_;
  Mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> calls_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::function<void()>> steps_ ABSL_GUARDED_BY(mutex_);
  // Threads that do a step, and whether the next job is to be one.
  int stepping_ ABSL_GUARDED_BY(mutex_) = 0;
  bool step_next_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

// For an Executor whose jobs must not be in the way of others: its threads get the processor and
// the disk when nobody else wants them.
void YieldToOthers();

// Calls of one kind that take long: of the executor's threads they have a few at most, so that
// other calls go on. The rest wait outside of its queue. Thread-safe; must outlive the executor.
class LongCalls {
 public:
  // `most` at a time, at least 1; at most `max_waiting` others.
  LongCalls(Executor& executor, int most, size_t max_waiting)
      : executor_(executor), most_(most), max_waiting_(max_waiting) {}
  // A new call. False when too many wait, here or at the executor.
  bool Submit(std::function<void()> job);

 private:
  // Runs the job, and sees to the next one.
  void Run(const std::function<void()>& job);
  // The next one takes this one's place.
  void RunNext();

  Executor& executor_;
  const int most_;
  const size_t max_waiting_;
  Mutex mutex_;
  // Given to the executor, and not over yet.
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_EXECUTOR_H_
