#include "server/api/executor.h"

#include <utility>

namespace assay::api {

Executor::Executor(int threads, size_t max_queue) : max_queue_(max_queue) {
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
