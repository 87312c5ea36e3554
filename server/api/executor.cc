#include "server/api/executor.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace assay::api {

namespace {

// <linux/ioprio.h>, which older kernels' headers do not have.
constexpr int kIoprioWhoProcess = 1;
constexpr int kIoprioIdle = 3 << 13;
constexpr int kLowestNice = 19;

}  // namespace

void YieldToOthers() {
  // Of the calling thread: 0 stands for it. Where it fails, the work is only less polite.
  (void)setpriority(PRIO_PROCESS, 0, kLowestNice);
  (void)syscall(SYS_ioprio_set, kIoprioWhoProcess, 0, kIoprioIdle);
}

Executor::Executor(int threads, size_t max_queue, std::function<void()> at_start)
    : at_start_(std::move(at_start)),
      max_queue_(max_queue),
      most_stepping_(threads == 1 ? 1 : threads - std::max(1, threads / 4)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

Executor::~Executor() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Executor::Submit(std::function<void()> job) {
  {
    MutexLock lock(mutex_);
    if (calls_.size() >= max_queue_) return false;
    calls_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

void Executor::Continue(std::function<void()> step) {
  {
    MutexLock lock(mutex_);
    steps_.push_back(std::move(step));
    // Whoever does a step now looks for the next one.
    if (!MayStep()) return;
  }
  changed_.notify_one();
}

void Executor::Loop() {
  if (at_start_ != nullptr) at_start_();
  while (true) {
    std::function<void()> job;
    bool is_step = false;
    {
      MutexLock lock(mutex_);
      lock.Wait(changed_, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return !calls_.empty() || MayStep() || Done();
      });
      if (Done()) return;
      is_step = MayStep() && (step_next_ || calls_.empty());
      step_next_ = !is_step;
      std::deque<std::function<void()>>& queue = is_step ? steps_ : calls_;
      job = std::move(queue.front());
      queue.pop_front();
      if (is_step) ++stepping_;
    }
    job();
    if (!is_step) continue;
    MutexLock lock(mutex_);
    --stepping_;
    // The last step may be what others wait for to end.
    if (Done()) changed_.notify_all();
  }
}

bool LongCalls::Submit(std::function<void()> job) {
  {
    MutexLock lock(mutex_);
    if (running_ == most_) {
      if (waiting_.size() >= max_waiting_) return false;
      waiting_.push_back(std::move(job));
      return true;
    }
    ++running_;
  }
  if (executor_.Submit([this, job = std::move(job)] { Run(job); })) return true;
  // Whoever came meanwhile has queued behind this one.
  RunNext();
  return false;
}

void LongCalls::Run(const std::function<void()>& job) {
  job();
  RunNext();
}

void LongCalls::RunNext() {
  std::function<void()> next;
  {
    MutexLock lock(mutex_);
    if (waiting_.empty()) {
      --running_;
      return;
    }
    next = std::move(waiting_.front());
    waiting_.pop_front();
  }
  executor_.Continue([this, job = std::move(next)] { Run(job); });
}

}  // namespace assay::api
