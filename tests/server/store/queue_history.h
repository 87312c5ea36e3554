// What several workers did with one queue at the same time, and whether a queue that keeps its word
// (task_queue.h) could have answered so.
//
// The model, for each task:
//   1. Fences of claims grow; no two claims have the same.
//   2. A task is claimed again only after its last claim was given back, or its lease ran out by
//      the queue's clock: no claim begins before the end of a lease that was acknowledged before.
//   3. A commit is accepted at most once, and not when a later claim had been acknowledged before
//      the commit began.
//   4. After an accepted commit has been acknowledged, nobody claims the task.
//   5. After a cancellation has been acknowledged, no task of the evaluation is claimed, and no
//      commit that begins then is accepted.
#ifndef ASSAY_TESTS_SERVER_STORE_QUEUE_HISTORY_H_
#define ASSAY_TESTS_SERVER_STORE_QUEUE_HISTORY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/mutex.h"

namespace assay::store {

struct QueueEvent {
  enum Kind { kClaim, kRenew, kCommit, kRelease, kCancel };
  Kind kind = kClaim;
  std::string evaluation;
  // None for kCancel.
  int64_t task = 0;
  int64_t fence = 0;
  // Whether it was accepted.
  bool ok = false;
  // Places in the order of all beginnings and ends; what ends before another begins came first.
  int64_t begin = 0, end = 0;
  // The queue's clock at its beginning and end.
  int64_t begin_micros = 0, end_micros = 0;
  // kClaim and kRenew.
  int64_t lease_micros = 0;
};

// Thread-safe.
class QueueHistory {
 public:
  // The next place in the order.
  int64_t Tick();
  void Add(QueueEvent event);
  void Clear();
  // In the order of their beginnings.
  std::vector<QueueEvent> Events() const;

 private:
  mutable Mutex mutex_;
  int64_t ticks_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<QueueEvent> events_ ABSL_GUARDED_BY(mutex_);
};

// What the model forbids in this history, a line each; empty: nothing.
std::vector<std::string> Violations(const std::vector<QueueEvent>& events);

}  // namespace assay::store

#endif  // ASSAY_TESTS_SERVER_STORE_QUEUE_HISTORY_H_
