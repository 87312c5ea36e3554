// Lets one thread (a signal handler's, say) stop what another one waits for: sleeps end at once and
// running calls are cancelled.
//
// What waits for neither (a system call on a dead network drive) does not notice. Whoever triggers
// may then end the process, but not while something is being brought to an end that has to be: that
// is marked by an Ending.
#ifndef ASSAY_CLIENT_LIB_INTERRUPT_H_
#define ASSAY_CLIENT_LIB_INTERRUPT_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>

#include "absl/status/status.h"
#include "core/base/mutex.h"

namespace assay::client {

// Thread-safe. Stays triggered once triggered.
class Interrupt {
 public:
  void Trigger();
  bool triggered() const;
  // kCancelled once triggered.
  absl::Status Check() const;
  // False, at once, when triggered before or meanwhile.
  bool SleepFor(std::chrono::milliseconds duration);

  // Whether an Ending exists.
  bool ending() const;

  // While one exists, work is done that ends soon after the trigger on its own, and that must not
  // be cut off.
  class Ending {
   public:
    explicit Ending(Interrupt& interrupt);
    ~Ending();
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;

   private:
    Interrupt& interrupt_;
  };

  // Runs `action` when triggered within the scope (at once if that has happened). `action` must not
  // use the Interrupt.
  class Scope {
   public:
    Scope(Interrupt& interrupt, std::function<void()> action);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Interrupt& interrupt_;
    std::list<std::function<void()>>::iterator position_;
  };

 private:
  mutable Mutex mutex_;
  std::condition_variable changed_;
  bool triggered_ ABSL_GUARDED_BY(mutex_) = false;
  int endings_ ABSL_GUARDED_BY(mutex_) = 0;
  std::list<std::function<void()>> actions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::client

#endif  // ASSAY_CLIENT_LIB_INTERRUPT_H_
