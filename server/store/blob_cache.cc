#include "server/store/blob_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "server/store/file_error.h"

namespace assay::store {
namespace {

namespace fs = std::filesystem;

constexpr auto kPollInterval = std::chrono::milliseconds(100);

// Whether the file has these bytes.
bool HasDigest(const std::string& path, const std::string& digest) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  Sha256 hash;
  std::string buffer(1 << 20, '\0');
  ssize_t count = 0;
  while ((count = ::read(fd, buffer.data(), buffer.size())) > 0 || (count < 0 && errno == EINTR)) {
    if (count > 0) hash.Update(absl::string_view(buffer).substr(0, static_cast<size_t>(count)));
  }
  ::close(fd);
  return count == 0 && hash.HexDigest() == digest;
}

}  // namespace

// Keeps a blob where it is. Others may have asked for it, too.
class BlobCache::Pin {
 public:
  Pin(BlobCache& cache, std::string digest) : cache_(cache), digest_(std::move(digest)) {}
  ~Pin() {
    MutexLock lock(cache_.mutex_);
    const auto entry = cache_.entries_.find(digest_);
    if (entry == cache_.entries_.end()) return;
    --entry->second.pins;
    cache_.Evict(cache_.limit_bytes_);
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

 private:
  BlobCache& cache_;
  const std::string digest_;
};

BlobCache::BlobCache(std::string directory, int64_t limit_bytes, int lock)
    : directory_(std::move(directory)), limit_bytes_(limit_bytes), lock_(lock) {}

BlobCache::~BlobCache() { ::close(lock_); }

std::string BlobCache::Path(const std::string& digest) const {
  return absl::StrCat(directory_, "/", digest.substr(0, 2), "/", digest);
}

std::string BlobCache::NewPath() { return absl::StrCat(directory_, "/tmp/", made_++); }

absl::StatusOr<std::unique_ptr<BlobCache>> BlobCache::Open(const std::string& directory,
                                                           int64_t limit_bytes) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return FileError("make", directory, error.value());
  const std::string lock_file = absl::StrCat(directory, "/lock");
  const int lock = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return FileError("open", lock_file, errno);
  std::unique_ptr<BlobCache> cache(new BlobCache(directory, limit_bytes, lock));
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return Error(Reason::kAlreadyExists,
                 absl::StrCat("another assayd uses ", directory, "; choose another --blob-cache"));
  }
  ASSAY_RETURN_IF_ERROR(cache->TakeStock());
  return cache;
}

absl::Status BlobCache::TakeStock() {
  std::error_code error;
  // What was on its way when the last process ended.
  const std::string tmp = absl::StrCat(directory_, "/tmp");
  fs::remove_all(tmp, error);
  if (::mkdir(tmp.c_str(), 0750) != 0 && errno != EEXIST) return FileError("make", tmp, errno);
  std::vector<std::tuple<int64_t, std::string, int64_t>> found;  // last use, digest, bytes
  for (int shard = 0; shard < 256; ++shard) {
    const std::string path = absl::StrCat(directory_, "/", absl::StrFormat("%02x", shard));
    if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) return FileError("make", path, errno);
    for (const auto& file : fs::directory_iterator(path, error)) {
      const std::string name = file.path().filename().string();
      struct stat status;
      if (!IsDigest(name) || ::stat(file.path().c_str(), &status) != 0) continue;
      found.emplace_back(
          int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + int64_t{status.st_mtim.tv_nsec}, name,
          int64_t{status.st_size});
    }
  }
  std::sort(found.begin(), found.end());
  MutexLock lock(mutex_);
  for (const auto& [used, digest, bytes] : found) {
    order_.push_front(digest);
    Entry& entry = entries_[digest];
    entry.bytes = bytes;
    entry.place = order_.begin();
    counts_.bytes += bytes;
  }
  Evict(limit_bytes_);
  return absl::OkStatus();
}

LocalBlob BlobCache::Use(const std::string& digest, Entry& entry) {
  order_.splice(order_.begin(), order_, entry.place);
  // For the next process; one that cannot be set makes a worse choice later.
  const std::string path = Path(digest);
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  ++entry.pins;
  return LocalBlob(path, std::make_shared<Pin>(*this, digest));
}

absl::StatusOr<LocalBlob> BlobCache::Get(const std::string& digest, const Bring& bring,
                                         const std::function<bool()>& cancelled) {
  bool left = false;  // by an earlier process
  {
    MutexLock lock(mutex_);
    while (true) {
      const auto found = entries_.find(digest);
      if (found == entries_.end()) {
        order_.push_front(digest);
        Entry& entry = entries_[digest];
        entry.place = order_.begin();
        entry.busy = true;
        break;
      }
      Entry& entry = found->second;
      // Whoever cleans the directory by hand makes it slower, not wrong.
      if (!entry.busy && entry.verified && ::access(Path(digest).c_str(), F_OK) == 0) {
        ++counts_.hits;
        return Use(digest, entry);
      }
      if (!entry.busy) {
        entry.busy = true;
        left = true;
        break;
      }
      if (cancelled != nullptr && cancelled()) {
        return Error(Reason::kCancelled, "fetching a blob was cancelled");
      }
      // Somebody brings it. If that fails, the next one tries.
      lock.WaitFor(changed_, kPollInterval, [&] {
        const auto now = entries_.find(digest);
        return now == entries_.end() || !now->second.busy;
      });
    }
  }
  const bool whole = left && HasDigest(Path(digest), digest);
  if (left && !whole) {
    LogWarning("a blob in the cache had other bytes than its own and is fetched again",
               {{"digest", digest}});
    ::unlink(Path(digest).c_str());
  }
  int64_t bytes = 0;
  const absl::Status brought = whole ? absl::OkStatus() : BringAnew(digest, bring, &bytes);
  MutexLock lock(mutex_);
  changed_.notify_all();
  whole ? ++counts_.hits : ++counts_.misses;
  Entry& entry = entries_[digest];
  entry.busy = false;
  if (!whole) {
    counts_.bytes += bytes - entry.bytes;
    entry.bytes = bytes;
  }
  if (!brought.ok()) {
    order_.erase(entry.place);
    entries_.erase(digest);
    return brought;
  }
  entry.verified = true;
  LocalBlob blob = Use(digest, entry);
  Evict(limit_bytes_);
  return blob;
}

absl::Status BlobCache::BringAnew(const std::string& digest, const Bring& bring, int64_t* bytes) {
  const std::string path = NewPath();
  absl::Status status = bring(path);
  if (ReasonOf(status) == Reason::kStorageFull && MakeRoom()) {
    ::unlink(path.c_str());
    status = bring(path);
  }
  struct stat file;
  if (status.ok() && ::stat(path.c_str(), &file) != 0) status = FileError("inspect", path, errno);
  if (status.ok() && std::rename(path.c_str(), Path(digest).c_str()) != 0) {
    status = FileError("rename", path, errno);
  }
  if (!status.ok()) {
    ::unlink(path.c_str());
    return status;
  }
  *bytes = file.st_size;
  return absl::OkStatus();
}

void BlobCache::Adopt(const std::string& digest, const std::string& path) {
  struct stat file;
  MutexLock lock(mutex_);
  // One that is there already, or on its way, has the same bytes.
  if (entries_.count(digest) > 0 || ::stat(path.c_str(), &file) != 0 ||
      std::rename(path.c_str(), Path(digest).c_str()) != 0) {
    return;
  }
  order_.push_front(digest);
  Entry& entry = entries_[digest];
  entry.place = order_.begin();
  entry.bytes = file.st_size;
  entry.verified = true;
  counts_.bytes += entry.bytes;
  Evict(limit_bytes_);
}

void BlobCache::Drop(const std::string& digest) {
  MutexLock lock(mutex_);
  const auto entry = entries_.find(digest);
  if (entry != entries_.end() && !entry->second.busy && entry->second.pins == 0) Remove(digest);
}

void BlobCache::Remove(const std::string& digest) {
  ::unlink(Path(digest).c_str());
  const auto entry = entries_.find(digest);
  counts_.bytes -= entry->second.bytes;
  order_.erase(entry->second.place);
  entries_.erase(entry);
}

void BlobCache::Evict(int64_t limit_bytes) {
  for (auto it = order_.end(); counts_.bytes > limit_bytes && it != order_.begin();) {
    --it;
    const Entry& entry = entries_[*it];
    if (entry.busy || entry.pins > 0) continue;
    const std::string digest = *it;
    // Not the place of what is removed, which ends with it.
    ++it;
    Remove(digest);
    ++counts_.evicted;
  }
}

bool BlobCache::MakeRoom() {
  MutexLock lock(mutex_);
  const int64_t before = counts_.bytes;
  Evict(0);
  return counts_.bytes < before;
}

BlobCacheCounts BlobCache::Counts() const {
  MutexLock lock(mutex_);
  BlobCacheCounts counts = counts_;
  counts.blobs = static_cast<int64_t>(entries_.size());
  return counts;
}

}  // namespace assay::store
