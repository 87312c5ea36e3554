#include "server/api/executor.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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
    : at_start_(std::move(at_start)), max_queue_(max_queue) {
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
    if (queue_.size() >= max_queue_) return false;
    queue_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

void Executor::Continue(std::function<void()> step) {
  {
    MutexLock lock(mutex_);
    queue_.push_back(std::move(step));
  }
  changed_.notify_one();
}

void Executor::Loop() {
  if (at_start_ != nullptr) at_start_();
  while (true) {
    std::function<void()> job;
    {
      MutexLock lock(mutex_);
      lock.Wait(changed_, [this] { return stop_ || !queue_.empty(); });
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    job();
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
