#include "server/access/watched_files.h"

#include <utility>

namespace assay::access {

WatchedFiles::WatchedFiles(std::chrono::milliseconds interval,
                           std::vector<std::function<void()>> looks)
    : interval_(interval), looks_(std::move(looks)), thread_([this] { Loop(); }) {}

WatchedFiles::~WatchedFiles() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void WatchedFiles::LookNow() {
  {
    MutexLock lock(mutex_);
    now_ = true;
  }
  changed_.notify_all();
}

void WatchedFiles::Loop() {
  while (true) {
    {
      MutexLock lock(mutex_);
      lock.WaitFor(changed_, interval_,
                   [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return now_ || stop_; });
      if (stop_) return;
      now_ = false;
    }
    for (const auto& look : looks_) look();
  }
}

}  // namespace assay::access
