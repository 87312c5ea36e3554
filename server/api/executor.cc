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

}  // namespace assay::api
