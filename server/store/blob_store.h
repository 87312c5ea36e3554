// A directory of content-addressed blobs: what was acknowledged is durable, and every byte handed
// out has been verified once.
//
// Layout: <root>/<first two digits>/<digest>, and <root>/tmp for writes in progress. A blob is
// written to tmp, synced, renamed into place, and its directory synced. Several processes may share
// one directory (a network file system included): the same blob renamed twice is the same blob.
//
// Holds. An upload relies on blobs before anything stored names them: those that it brought and
// those that it was told are there. It holds them, under any name that tells it from other uploads,
// until it settles them, at most kHoldSeconds after it last brought or asked. A blob's time of
// modification tells: it is the time of the last hold, or 1970 once everybody has settled. So the
// holds survive a restart, but for who they were by; what was held by then lasts its time.
#ifndef ASSAY_SERVER_STORE_BLOB_STORE_H_
#define ASSAY_SERVER_STORE_BLOB_STORE_H_

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

// A number of blobs, and their bytes together.
struct BlobCount {
  int64_t blobs = 0;
  int64_t bytes = 0;
};

class BlobStore {
 public:
  static constexpr int64_t kHoldSeconds = 24 * 3600;

  // Creates the directory if needed. Removes writes that an earlier process left unfinished for
  // longer than an hour, and counts the blobs. Without `clock`, time is the system's; it must
  // outlive the store. Where other processes may hold blobs of the directory, too (kShared), none
  // is settled before its time.
  static absl::StatusOr<std::unique_ptr<BlobStore>> Open(const std::string& root,
                                                         FileOps* ops = nullptr,
                                                         const Clock* clock = nullptr,
                                                         Sharing sharing = Sharing::kExclusive);

  // Receives one blob piece by piece. Destroying it before Commit leaves no trace.
  class Writer {
   public:
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    // kStorageFull, kStorageFailed; kTooLarge when more arrives than was announced.
    absl::Status Append(absl::string_view bytes);
    // Verifies size and digest (kUploadIncomplete, kDigestMismatch), makes the blob durable. The
    // holder holds it.
    absl::Status Commit();
    int64_t remaining_bytes() const { return size_ - written_; }

   private:
    friend class BlobStore;
    struct State;
    Writer(BlobStore* store, std::string digest, int64_t size, std::string holder);
    BlobStore* const store_;
    const std::string digest_;
    const int64_t size_;
    const std::string holder_;
    int64_t written_ = 0;
    std::unique_ptr<State> state_;
  };

  // `digest` must be a well-formed digest. A holder of "" never settles.
  absl::StatusOr<std::unique_ptr<Writer>> Create(const std::string& digest, int64_t size,
                                                 const std::string& holder = "");
  // Writes a whole blob and returns its digest.
  absl::StatusOr<std::string> Put(absl::string_view bytes, const std::string& holder = "");
  // Joins blobs, in order, into one whose digest must be `digest`. kChunkMissing names the first
  // part that is not there.
  absl::Status Join(const std::vector<std::string>& parts, const std::string& digest,
                    const std::string& holder = "");

  // Saying yes is a promise that an upload may rely on: the holder holds the blob.
  bool Has(const std::string& digest, const std::string& holder = "");
  // The holder relies on these no longer: what names them is stored, or nothing ever will. Digests
  // that it does not hold stay as they are.
  void Settle(const std::vector<std::string>& digests, const std::string& holder);
  // Whether the blobs can be reached: kUnavailable when their directory is not there, as one that
  // is not mounted.
  absl::Status Probe() const;
  // Size in bytes; kChunkMissing when it is not there.
  absl::StatusOr<int64_t> Size(const std::string& digest) const;
  absl::StatusOr<std::string> Read(const std::string& digest) const;
  // Where a blob lies; for the engine, which maps it.
  std::string Path(const std::string& digest) const;

  // Removes blobs that `in_use` denies and that everybody has settled or whose last hold is at
  // least kHoldSeconds old, and unfinished writes as Open does. Returns what was removed.
  // `in_use` is first asked when all candidates are known, so it may look once at what is stored,
  // then: what is held or settled by this process after that is spared.
  absl::StatusOr<BlobCount> Sweep(const std::function<bool(const std::string& digest)>& in_use);

  // What is there, without unfinished writes and what was moved aside. Other processes' blobs count
  // from the next Open on.
  BlobCount Count() const;
  // The directories of blobs ("a7"), sorted, and the names of the files in one of them.
  absl::StatusOr<std::vector<std::string>> Shards() const;
  absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& shard) const;
  // Whether an upload relies on the blob, as far as can be known.
  bool IsHeld(const std::string& digest) const;
  // Takes a blob whose bytes are not its own out of the store, so that it is missing and an upload
  // can bring it again. Its file is kept in <root>/corrupt.
  absl::Status MoveAside(const std::string& digest);

 private:
  BlobStore(std::string root, FileOps* ops, const Clock* clock, Sharing sharing);
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

#endif  // ASSAY_SERVER_STORE_BLOB_STORE_H_
