// Looks again and again at files that may have changed. By their content, so that it does not
// matter how they were written: in place, by renaming, by a link that points elsewhere.
#ifndef ASSAY_SERVER_ACCESS_WATCHED_FILES_H_
#define ASSAY_SERVER_ACCESS_WATCHED_FILES_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <thread>
#include <vector>

#include "core/base/mutex.h"

namespace assay::access {

// Calls every `look` on a thread of its own. Thread-safe.
class WatchedFiles {
 public:
  WatchedFiles(std::chrono::milliseconds interval, std::vector<std::function<void()>> looks);
  ~WatchedFiles();
  // Looks at once; returns before that is over.
  void LookNow();

 private:
  void Loop();

  const std::chrono::milliseconds interval_;
  const std::vector<std::function<void()>> looks_;
  Mutex mutex_;
  std::condition_variable changed_;
  bool now_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace assay::access

#endif  // ASSAY_SERVER_ACCESS_WATCHED_FILES_H_
