// A directory of blobs that come from far away, for those who need them as files: of a limited
// size, from which the least recently used goes, and never one that is in use.
//
// Whatever it hands out has had its digest looked at by this process: bytes as they come, files
// that an earlier process left when they are first asked for. So nothing needs to be synced.
#ifndef ASSAY_SERVER_STORE_BLOB_CACHE_H_
#define ASSAY_SERVER_STORE_BLOB_CACHE_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "server/store/blob_store.h"

namespace assay::store {

// What it is made of and what has been asked of it.
struct BlobCacheCounts {
  int64_t blobs = 0, bytes = 0;
  int64_t hits = 0, misses = 0, evicted = 0;
};

// Thread-safe. The directory belongs to one process at a time.
class BlobCache {
 public:
  // Makes the directory if needed. kAlreadyExists: another process uses it; kStorageFailed.
  static absl::StatusOr<std::unique_ptr<BlobCache>> Open(const std::string& directory,
                                                         int64_t limit_bytes);
  ~BlobCache();

  // Writes the blob, whose bytes it has verified, to that path, at which nothing is.
  using Bring = std::function<absl::Status(const std::string& path)>;
  // The blob, brought if it is not there; of several that ask at once, one brings it. Where a disk
  // is full, makes room and tries again. kCancelled soon after `cancelled` (may be null) says yes.
  absl::StatusOr<LocalBlob> Get(const std::string& digest, const Bring& bring,
                                const std::function<bool()>& cancelled);
  // Takes over a file that is made already, of verified bytes, whose path is one of NewPath's.
  void Adopt(const std::string& digest, const std::string& path);
  // Drops the blob, unless it is in use.
  void Drop(const std::string& digest);
  // Where a file can be made that Adopt may get. Whoever asks for it removes what is left there.
  std::string NewPath();
  // Removes everything that is not in use. Whether there was something.
  bool MakeRoom();

  BlobCacheCounts Counts() const;

 private:
  struct Entry {
    int64_t bytes = 0;
    bool verified = false;  // by this process
    bool busy = false;      // somebody brings or verifies it
    int pins = 0;
    std::list<std::string>::iterator place;  // in order_
  };
  class Pin;

  BlobCache(std::string directory, int64_t limit_bytes, int lock);
  std::string Path(const std::string& digest) const;
  // Looks at what an earlier process left.
  absl::Status TakeStock();
  absl::Status BringAnew(const std::string& digest, const Bring& bring, int64_t* bytes);
  LocalBlob Use(const std::string& digest, Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(const std::string& digest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Until there are at most so many bytes, or the rest is in use.
  void Evict(int64_t limit_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string directory_;
  const int64_t limit_bytes_;
  const int lock_;
  std::atomic<uint64_t> made_{0};
  mutable Mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::list<std::string> order_ ABSL_GUARDED_BY(mutex_);  // most recently used first
  BlobCacheCounts counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_BLOB_CACHE_H_
