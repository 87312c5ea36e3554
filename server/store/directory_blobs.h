// Blobs in a directory.
//
// Layout: <root>/<first two digits>/<digest>, and <root>/tmp for writes in progress. A blob is
// written to tmp, synced, renamed into place, and its directory synced. Several processes may share
// one directory (a network file system included): the same blob renamed twice is the same blob.
//
// A blob's time of modification tells of holds: it is the time of the last one, or 1970 once
// everybody has settled.
#ifndef ASSAY_SERVER_STORE_DIRECTORY_BLOBS_H_
#define ASSAY_SERVER_STORE_DIRECTORY_BLOBS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "server/store/blob_store.h"
#include "server/store/sharing.h"

namespace assay::store {

// The file operations that can fail, so that tests can make them fail (a full disk, a broken one).
// Thread-safe.
class FileOps {
 public:
  virtual ~FileOps() = default;
  // Each behaves like the system call of its name and returns -1 with errno set on failure.
  virtual int Open(const std::string& path, int flags, int mode);
  virtual int64_t Write(int fd, const void* data, size_t size);
  virtual int Fsync(int fd);
  virtual int Rename(const std::string& from, const std::string& to);
};

class DirectoryBlobs final : public BlobStore {
 public:
  // Creates the directory if needed. Removes writes that an earlier process left unfinished for
  // longer than an hour, and counts the blobs. Without `clock`, time is the system's; it must
  // outlive the store. Where other processes may hold blobs of the directory, too (kShared), none
  // is settled before its time.
  static absl::StatusOr<std::unique_ptr<DirectoryBlobs>> Open(
      const std::string& root, FileOps* ops = nullptr, const Clock* clock = nullptr,
      Sharing sharing = Sharing::kExclusive);

  void Settle(const std::vector<std::string>& digests, const std::string& holder) override;
  absl::Status Probe() const override;
  absl::StatusOr<int64_t> Size(const std::string& digest) const override;
  absl::StatusOr<LocalBlob> Fetch(const std::string& digest,
                                  const std::function<bool()>& cancelled) const override;
  // Removes what was held kHoldSeconds ago at last, or has been settled.
  absl::StatusOr<BlobCount> Sweep(
      const std::function<bool(const std::string& digest)>& in_use) override;
  // Other processes' blobs count from the next Open on.
  BlobCount Count() const override;
  absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& shard) const override;
  absl::StatusOr<State> StateOf(const std::string& digest) const override;
  absl::StatusOr<std::unique_ptr<Reader>> OpenStored(const std::string& digest) const override;
  absl::Status MoveAside(const std::string& digest) override;

  // Where a blob lies, if it does.
  std::string Path(const std::string& digest) const;

 private:
  class FileWriter;
  class FileReader;
  absl::StatusOr<std::unique_ptr<Writer>> NewWriter(const std::string& digest, int64_t size,
                                                    const std::string& holder) override;
  absl::StatusOr<bool> HoldIfThere(const std::string& digest, const std::string& holder) override;
  absl::Status ReadPieces(
      const std::string& digest,
      const std::function<absl::Status(absl::string_view piece)>& consume) const override;
  DirectoryBlobs(std::string root, FileOps* ops, const Clock* clock, Sharing sharing);
  int64_t NowSeconds() const;
  int64_t AgeSeconds(int64_t modified_seconds) const { return NowSeconds() - modified_seconds; }
  void Hold(const std::string& digest, const std::string& holder)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(hold_mutex_);
  // Sets the time of modification of a blob, which its file has already.
  void SetTime(const std::string& digest, int64_t seconds) const;
  // Removes a blob unless it is held or gone already; whether it did.
  absl::StatusOr<bool> Remove(const std::string& digest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(hold_mutex_);
  // The blobs that Sweep may remove if nobody uses them.
  absl::StatusOr<std::vector<std::string>> SweepCandidates() const;
  // Makes sure that the directory of a blob exists and is durable.
  absl::Status MakeShard(const std::string& shard);
  const std::string root_;
  const Sharing sharing_;
  FileOps* const ops_;
  std::unique_ptr<FileOps> own_ops_;
  Mutex mutex_;
  // Directories of blobs whose own entries are known to be synced.
  std::set<std::string> durable_shards_ ABSL_GUARDED_BY(mutex_);

  const Clock* const clock_;
  std::unique_ptr<const Clock> own_clock_;
  Mutex sweep_mutex_;  // one sweep at a time
  // Nothing is removed between the look that finds a blob and the hold that keeps it.
  mutable Mutex hold_mutex_;
  BlobCount count_ ABSL_GUARDED_BY(hold_mutex_);
  // By digest and holder: until when, in seconds since the epoch.
  std::map<std::string, std::map<std::string, int64_t>> holds_ ABSL_GUARDED_BY(hold_mutex_);
  bool sweeping_ ABSL_GUARDED_BY(hold_mutex_) = false;
  // What was held or settled since the sweep began.
  std::set<std::string> touched_ ABSL_GUARDED_BY(hold_mutex_);
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_DIRECTORY_BLOBS_H_
