#include "server/store/blob_sweeper.h"

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/log.h"

namespace assay::store {
namespace {

constexpr int64_t kIntervalMicros = 3600LL * 1'000'000;
constexpr int64_t kRetryMicros = 60LL * 1'000'000;
// The clock is not the one that waits, so it is looked at again and again.
constexpr auto kPollInterval = std::chrono::milliseconds(1000);
// Sweeps of a row of deletions are this far apart.
constexpr auto kMergeInterval = std::chrono::milliseconds(3000);

}  // namespace

BlobSweeper::BlobSweeper(Catalog& catalog, BlobStore& blobs, const Clock& clock,
                         const std::string& reserve_path, Listener on_removed, bool by_itself)
    : catalog_(catalog),
      blobs_(blobs),
      clock_(clock),
      reserve_(reserve_path),
      on_removed_(std::move(on_removed)),
      by_itself_(by_itself),
      asked_(by_itself),
      thread_([this] { Loop(); }) {}

BlobSweeper::~BlobSweeper() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BlobSweeper::SweepSoon() {
  MutexLock lock(mutex_);
  asked_ = true;
  // With the lock held: whoever ends the sweeper has to wait for it.
  changed_.notify_all();
}

absl::Status BlobSweeper::WithReserve(const std::function<absl::Status()>& change) {
  const absl::Status changed = change();
  if (ReasonOf(changed) != Reason::kStorageFull || !reserve_.Use()) return changed;
  // Takes the reserve back when there is room.
  SweepSoon();
  return change();
}

void BlobSweeper::Loop() {
  int64_t next = 0;
  while (true) {
    {
      MutexLock lock(mutex_);
      lock.WaitFor(changed_, kPollInterval, [this] { return stop_ || asked_; });
      if (stop_) return;
      if (!asked_ && (!by_itself_ || clock_.NowMicros() < next)) continue;
      asked_ = false;
    }
    const absl::Status swept = SweepNow().status();
    if (!swept.ok()) LogWarning(absl::StrCat("cannot free space: ", swept.message()));
    next = clock_.NowMicros() + (swept.ok() ? kIntervalMicros : kRetryMicros);
    MutexLock lock(mutex_);
    lock.WaitFor(changed_, kMergeInterval, [this] { return stop_; });
  }
}

absl::StatusOr<BlobCount> BlobSweeper::SweepNow() {
  // Looked up when the first blob is in question, as BlobStore::Sweep wants it.
  bool looked = false;
  absl::Status failure;
  std::set<std::string> used;
  const auto in_use = [&](const std::string& digest) {
    if (!looked) {
      looked = true;
      auto digests = catalog_.BlobsInUse();
      failure = digests.status();
      if (digests.ok()) used.insert(digests->begin(), digests->end());
    }
    return !failure.ok() || used.count(digest) > 0;
  };
  ASSAY_ASSIGN_OR_RETURN(const BlobCount removed, blobs_.Sweep(in_use));
  if (removed.blobs > 0) {
    LogInfo(absl::StrCat("freed ", removed.bytes, " bytes of ", removed.blobs,
                         " blobs that nothing names"));
    if (on_removed_ != nullptr) on_removed_(removed);
  }
  ASSAY_RETURN_IF_ERROR(failure);
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const bool more, catalog_.ReleaseSpace());
    MutexLock lock(mutex_);
    if (stop_ || !more) break;
  }
  reserve_.Restore();
  return removed;
}

}  // namespace assay::store
