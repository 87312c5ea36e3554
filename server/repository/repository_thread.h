// Looks through the model repository at intervals and when somebody asks, and judges gates as
// evaluations end: on a thread of its own, since it reads large files.
#ifndef ASSAY_SERVER_REPOSITORY_REPOSITORY_THREAD_H_
#define ASSAY_SERVER_REPOSITORY_REPOSITORY_THREAD_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/repository.pb.h"
#include "core/base/mutex.h"
#include "server/repository/model_repository.h"

namespace assay::repository {

class RepositoryThread {
 public:
  using Answer = std::function<void(absl::StatusOr<v1::SyncModelRepositoryResponse>)>;

  // `repository` must outlive it. 0 seconds: looks when asked alone. Nothing is done before Start.
  RepositoryThread(ModelRepository& repository, double poll_seconds);
  ~RepositoryThread() { Stop(); }
  void Start() {
    thread_ = std::thread([this] { Loop(); });
  }
  // Looks soon, and tells what was found, on the thread: at once if no file is still being copied,
  // else after one more look. kQuotaExceeded for too many that wait, kShuttingDown after Stop.
  // Thread-safe.
  void Sync(Answer answer);
  // Ends the look that is under way, once its server takes no work any more. Idempotent, for one
  // thread.
  void Stop();

 private:
  void Loop();
  // Whether Stop came first.
  bool WaitOrStop(std::chrono::milliseconds time);

  ModelRepository& repository_;
  const double poll_seconds_;
  // Of the thread: what the last look failed with; empty: it did not.
  std::string last_error_;
  Mutex mutex_;
  std::condition_variable changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Answer> waiting_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace assay::repository

#endif  // ASSAY_SERVER_REPOSITORY_REPOSITORY_THREAD_H_
