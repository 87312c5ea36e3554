// A directory of content-addressed blobs: what was acknowledged is durable, and every byte handed
// out has been verified once.
//
// Layout: <root>/<first two digits>/<digest>, and <root>/tmp for writes in progress. A blob is
// written to tmp, synced, renamed into place, and its directory synced. Several processes may share
// one directory (a network file system included): the same blob renamed twice is the same blob.
#ifndef ASSAY_SERVER_STORE_BLOB_STORE_H_
#define ASSAY_SERVER_STORE_BLOB_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"

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

class BlobStore {
 public:
  // Creates the directory if needed. Removes writes that an earlier process left unfinished for
  // longer than an hour.
  static absl::StatusOr<std::unique_ptr<BlobStore>> Open(const std::string& root,
                                                         FileOps* ops = nullptr);

  // Receives one blob piece by piece. Destroying it before Commit leaves no trace.
  class Writer {
   public:
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    // kStorageFull, kStorageFailed; kTooLarge when more arrives than was announced.
    absl::Status Append(absl::string_view bytes);
    // Verifies size and digest (kUploadIncomplete, kDigestMismatch), makes the blob durable.
    absl::Status Commit();
    int64_t remaining_bytes() const { return size_ - written_; }

   private:
    friend class BlobStore;
    struct State;
    Writer(BlobStore* store, std::string digest, int64_t size);
    BlobStore* const store_;
    const std::string digest_;
    const int64_t size_;
    int64_t written_ = 0;
    std::unique_ptr<State> state_;
  };

  // `digest` must be a well-formed digest.
  absl::StatusOr<std::unique_ptr<Writer>> Create(const std::string& digest, int64_t size);
  // Writes a whole blob and returns its digest.
  absl::StatusOr<std::string> Put(absl::string_view bytes);
  // Joins blobs, in order, into one whose digest must be `digest`. kChunkMissing names the first
  // part that is not there.
  absl::Status Join(const std::vector<std::string>& parts, const std::string& digest);

  // Saying yes is a promise that an upload may rely on: it makes the blob young again, so that
  // Sweep spares it.
  bool Has(const std::string& digest) const;
  // Size in bytes; kChunkMissing when it is not there.
  absl::StatusOr<int64_t> Size(const std::string& digest) const;
  absl::StatusOr<std::string> Read(const std::string& digest) const;
  // Where a blob lies; for the engine, which maps it.
  std::string Path(const std::string& digest) const;

  // Removes blobs that `in_use` denies and that are at least `min_age_seconds` old (uploads for a
  // manifest that is not committed yet are young). Returns the number of bytes freed.
  absl::StatusOr<int64_t> Sweep(const std::function<bool(const std::string& digest)>& in_use,
                                int64_t min_age_seconds);

 private:
  BlobStore(std::string root, FileOps* ops);
  // Makes sure that the directory of a blob exists and is durable.
  absl::Status MakeShard(const std::string& shard);
  const std::string root_;
  FileOps* const ops_;
  std::unique_ptr<FileOps> own_ops_;
  Mutex mutex_;
  // Directories of blobs whose own entries are known to be synced.
  std::set<std::string> durable_shards_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_BLOB_STORE_H_
