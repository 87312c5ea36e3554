// Gives back the disk space of blobs that nothing names any more, and of deleted records: soon
// after something was deleted, at the start, and every hour, which finds abandoned uploads too.
#ifndef ASSAY_SERVER_STORE_BLOB_SWEEPER_H_
#define ASSAY_SERVER_STORE_BLOB_SWEEPER_H_

#include <condition_variable>
#include <functional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "server/store/blob_store.h"
#include "server/store/catalog.h"
#include "server/store/space_reserve.h"

namespace assay::store {

// Thread-safe.
class BlobSweeper {
 public:
  // Called by whoever sweeps, after a sweep that removed something.
  using Listener = std::function<void(const BlobCount& removed)>;

  // All must outlive it. Sweeps on a thread of its own; unless `by_itself`, only when it is asked.
  // `reserve_path` is where space is held back.
  BlobSweeper(Catalog& catalog, BlobStore& blobs, const Clock& clock,
              const std::string& reserve_path, Listener on_removed = nullptr,
              bool by_itself = true);
  ~BlobSweeper();
  // Sweeps on this thread. What it removed.
  absl::StatusOr<BlobCount> SweepNow();
  // Something may have lost its last user. Sweeps within seconds; many calls make few sweeps.
  void SweepSoon();
  // Does `change`, which frees space or ends work, if need be with the space that is held back for
  // that: a full disk must not keep itself full.
  absl::Status WithReserve(const std::function<absl::Status()>& change);
  // Bytes that are held back at this moment.
  int64_t reserve_bytes() const { return reserve_.bytes(); }

 private:
  void Loop();

  Catalog& catalog_;
  BlobStore& blobs_;
  const Clock& clock_;
  SpaceReserve reserve_;
  const Listener on_removed_;
  const bool by_itself_;
  Mutex mutex_;
  std::condition_variable changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  bool asked_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_BLOB_SWEEPER_H_
