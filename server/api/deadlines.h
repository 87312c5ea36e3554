// Ends evaluations whose deadline has passed, within about a second of it. Where several assayds
// share a store, each api does; the first one ends it.
#ifndef ASSAY_SERVER_API_DEADLINES_H_
#define ASSAY_SERVER_API_DEADLINES_H_

#include <condition_variable>
#include <thread>

#include "core/base/mutex.h"
#include "server/api/context.h"

namespace assay::api {

// Thread-safe.
class Deadlines {
 public:
  // Looks on a thread of its own. `context` must outlive it.
  explicit Deadlines(Context& context);
  ~Deadlines();
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

 private:
  void Loop();

  Context& context_;
  Mutex mutex_;
  std::condition_variable changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_DEADLINES_H_
