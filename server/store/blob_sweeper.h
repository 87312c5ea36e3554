// Gives back the disk space of blobs that nothing names any more, and of deleted records: soon
// after something was deleted, at the start, and every hour, which finds abandoned uploads too.
#ifndef ASSAY_SERVER_STORE_BLOB_SWEEPER_H_
#define ASSAY_SERVER_STORE_BLOB_SWEEPER_H_

#include <condition_variable>
#include <cstdint>
#include <thread>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "server/store/blob_store.h"
#include "server/store/job_store.h"

namespace assay::store {

// Thread-safe.
class BlobSweeper {
 public:
  // All must outlive it. Sweeps on a thread of its own.
  BlobSweeper(JobStore& store, BlobStore& blobs, const Clock& clock);
  ~BlobSweeper();
  // Something may have lost its last user. Sweeps within seconds; many calls make few sweeps.
  void SweepSoon();

 private:
  void Loop();
  absl::Status Sweep();

  JobStore& store_;
  BlobStore& blobs_;
  const Clock& clock_;
  Mutex mutex_;
  std::condition_variable changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  bool asked_ ABSL_GUARDED_BY(mutex_) = true;
  std::thread thread_;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_BLOB_SWEEPER_H_
