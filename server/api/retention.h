// How long evaluations are kept (docs/decisions/0028-retention.md): those that ended longer ago
// than
// --keep-evaluations are deleted, but for those with a label that keeps them, and of each model and
// dataset the latest that succeeded, which the gauges show.
#ifndef ASSAY_SERVER_API_RETENTION_H_
#define ASSAY_SERVER_API_RETENTION_H_

#include <condition_variable>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/labels.h"
#include "core/base/mutex.h"
#include "server/api/context.h"

namespace assay::api {

struct RetentionOptions {
  // 0: for ever.
  int64_t keep_seconds = 0;
  // An evaluation with one of these is kept. An empty value: any value.
  std::vector<std::pair<std::string, std::string>> keep_labels = {{"keep", "true"}};
};

// Thread-safe.
class Retention {
 public:
  // Deletes on a thread of its own: at the start, every hour, and once a minute while space is
  // short. `context` must outlive it.
  Retention(Context& context, RetentionOptions options);
  ~Retention();
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;

  // Deletes on this thread what is not to be kept; how many.
  absl::StatusOr<int64_t> DeleteExpired();

 private:
  void Loop();
  // Names of what is not to be kept, oldest first.
  absl::StatusOr<std::vector<std::string>> FindExpired();
  bool IsShortOfSpace() const;

  Context& context_;
  const RetentionOptions options_;
  Mutex deleting_;  // one at a time
  Mutex mutex_;
  std::condition_variable changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_RETENTION_H_
