// std::mutex with Clang's thread-safety annotations. (Debian's absl::Mutex is invisible to
// ThreadSanitizer.)
#ifndef ASSAY_CORE_BASE_MUTEX_H_
#define ASSAY_CORE_BASE_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"

namespace assay {

class ABSL_LOCKABLE Mutex {
 public:
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

// Holds a Mutex for a scope, and waits on conditions.
//   MutexLock lock(mu_);
//   lock.Wait(changed_, [&] { return done_; });
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : lock_(mutex.mutex_) {}
  ~MutexLock() ABSL_UNLOCK_FUNCTION() {}

  template <typename Predicate>
  void Wait(std::condition_variable& variable, Predicate predicate) {
    variable.wait(lock_, predicate);
  }
  // Whether the predicate held before the time was up.
  template <typename Predicate>
  bool WaitFor(std::condition_variable& variable, std::chrono::milliseconds timeout,
               Predicate predicate) {
    return variable.wait_for(lock_, timeout, predicate);
  }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace assay

#endif  // ASSAY_CORE_BASE_MUTEX_H_
