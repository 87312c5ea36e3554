#include "server/store/directory_blobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <optional>
#include <random>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "server/store/file_error.h"

namespace assay::store {
namespace {

constexpr int64_t kStaleWriteSeconds = 3600;
// The time of modification of a blob that everybody has settled.
constexpr int64_t kSettled = 0;
constexpr size_t kCopyBytes = 1 << 20;
constexpr int kFileMode = 0640;
constexpr int kDirectoryMode = 0750;

absl::Status Unreachable() {
  return Error(Reason::kUnavailable,
               "the server's blobs cannot be reached at the moment; they are tried again")
      .RetryAfterSeconds(1);
}

// FileError; but when the directory is not there, or its file server does not answer, all waits for
// as long as it is not mounted.
absl::Status DirectoryError(const char* what, const std::string& path, int error) {
  const absl::Status status = FileError(what, path, error);
  if (error == ENOENT || error == ESTALE || error == ETIMEDOUT || error == ENOTCONN ||
      error == EHOSTDOWN) {
    LogWarning("the blobs cannot be reached", {{"error", status.message()}});
    return Unreachable();
  }
  return status;
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status SyncDirectory(FileOps& ops, const std::string& path) {
  const FileDescriptor fd(ops.Open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  if (fd.get() < 0) return DirectoryError("open", path, errno);
  if (ops.Fsync(fd.get()) != 0) return DirectoryError("sync", path, errno);
  return absl::OkStatus();
}

// Makes a directory and its parents. Each new entry is synced, because what is put below is only as
// durable as the path to it.
absl::Status MakeDirectories(FileOps& ops, const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return absl::OkStatus();
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  if (parent != path) ASSAY_RETURN_IF_ERROR(MakeDirectories(ops, parent));
  const bool made = ::mkdir(path.c_str(), kDirectoryMode) == 0;
  if (!made && errno != EEXIST) return DirectoryError("make", path.string(), errno);
  const absl::Status synced = SyncDirectory(ops, parent.string());
  // Whoever finds it there does not sync its entry any more.
  if (made && !synced.ok()) ::rmdir(path.c_str());
  return synced;
}

// The names in a directory, "." and ".." left out.
absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(path, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    names.push_back(entry->path().filename().string());
    entry.increment(error);
  }
  if (error) return DirectoryError("list", path, error.value());
  return names;
}

// Unique among the processes of all hosts that share the directory: process ids repeat from
// container to container.
std::string TemporaryPrefix() {
  static const uint64_t process = [] {
    std::random_device device;
    return (uint64_t{device()} << 32) | device();
  }();
  return absl::StrFormat("%016x.%d.", process, ::getpid());
}
std::string TemporaryName() {
  static std::atomic<uint64_t> counter{0};
  return absl::StrCat(TemporaryPrefix(), counter++);
}

std::string TemporaryDirectory(const std::string& root) { return absl::StrCat(root, "/tmp"); }
std::string ShardDirectory(const std::string& root, const std::string& shard) {
  return absl::StrCat(root, "/", shard);
}
std::string ShardOf(const std::string& digest) { return digest.substr(0, 2); }
bool IsShard(const std::string& name) {
  return name.size() == 2 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// The directories of blobs that are there.
absl::StatusOr<std::vector<std::string>> ListShards(const std::string& root) {
  ASSAY_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(root));
  names.erase(std::remove_if(names.begin(), names.end(),
                             [](const std::string& name) { return !IsShard(name); }),
              names.end());
  return names;
}

// Of other processes: those of this one go with their writers.
absl::Status RemoveStaleWrites(const std::string& directory) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(directory));
  for (const std::string& name : names) {
    if (absl::StartsWith(name, TemporaryPrefix())) continue;
    const std::string path = absl::StrCat(directory, "/", name);
    struct stat status;
    if (::stat(path.c_str(), &status) == 0 &&
        std::time(nullptr) - status.st_mtime > kStaleWriteSeconds && ::unlink(path.c_str()) != 0 &&
        errno != ENOENT) {
      return DirectoryError("remove", path, errno);
    }
  }
  return absl::OkStatus();
}

}  // namespace

int FileOps::Open(const std::string& path, int flags, int mode) {
  return ::open(path.c_str(), flags, mode);
}
int64_t FileOps::Write(int fd, const void* data, size_t size) { return ::write(fd, data, size); }
int FileOps::Fsync(int fd) { return ::fsync(fd); }
int FileOps::Rename(const std::string& from, const std::string& to) {
  return std::rename(from.c_str(), to.c_str());
}

class DirectoryBlobs::FileWriter final : public Writer {
 public:
  FileWriter(DirectoryBlobs& store, const std::string& digest, int64_t size, std::string holder,
             int fd, std::string path)
      : Writer(digest, size), store_(store), holder_(std::move(holder)), path_(std::move(path)) {
    fd_.emplace(fd);
  }
  ~FileWriter() override { Drop(); }

 private:
  absl::Status Write(absl::string_view bytes) override {
    while (!bytes.empty()) {
      const int64_t count = store_.ops_->Write(fd_->get(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return DirectoryError("write", path_, count < 0 ? errno : EIO);
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return absl::OkStatus();
  }
  absl::Status Finish() override;
  // What is not in place by now is removed.
  void Drop() override {
    if (!fd_.has_value()) return;
    if (!renamed_) ::unlink(path_.c_str());
    fd_.reset();
  }

  DirectoryBlobs& store_;
  const std::string holder_;
  const std::string path_;
  std::optional<FileDescriptor> fd_;
  bool renamed_ = false;
};

absl::Status DirectoryBlobs::FileWriter::Finish() {
  FileOps& ops = *store_.ops_;
  if (ops.Fsync(fd_->get()) != 0) return DirectoryError("sync", path_, errno);
  struct stat own;
  if (::fstat(fd_->get(), &own) != 0) return DirectoryError("inspect", path_, errno);
  const std::string shard = ShardOf(digest());
  ASSAY_RETURN_IF_ERROR(store_.MakeShard(shard));
  const std::string path = store_.Path(digest());
  bool existed = false;
  int64_t replaced = 0;  // bytes
  {
    MutexLock lock(store_.hold_mutex_);
    struct stat before;
    existed = ::stat(path.c_str(), &before) == 0;
    replaced = existed ? before.st_size : 0;
    // The new file hides the time of one that is there. What is new was held by nobody.
    if (existed) {
      store_.Hold(digest(), holder_);
    } else {
      store_.holds_[digest()].clear();
      store_.holds_[digest()][holder_] = 0;
    }
    // A blob that is there already is replaced by the same bytes, and must be synced anyway, since
    // another process may have renamed it a moment ago.
    if (ops.Rename(path_, path) != 0) return DirectoryError("rename", path_, errno);
    renamed_ = true;
    store_.Hold(digest(), holder_);
    store_.count_.blobs += existed ? 0 : 1;
    store_.count_.bytes += size() - replaced;
  }
  const absl::Status synced = SyncDirectory(ops, ShardDirectory(store_.root_, shard));
  if (!synced.ok() && !existed) {
    // Not acknowledged, so it must not look as if it were; unless somebody else has put the blob
    // there meanwhile.
    MutexLock lock(store_.hold_mutex_);
    struct stat now;
    if (::stat(path.c_str(), &now) == 0 && now.st_ino == own.st_ino &&
        ::unlink(path.c_str()) == 0) {
      store_.count_.blobs -= 1;
      store_.count_.bytes -= size();
    }
  }
  return synced;
}

DirectoryBlobs::DirectoryBlobs(std::string root, FileOps* ops, const Clock* clock, Sharing sharing)
    : BlobStore(/*requests=*/1),
      root_(std::move(root)),
      sharing_(sharing),
      ops_(ops != nullptr ? ops : new FileOps),
      own_ops_(ops != nullptr ? nullptr : ops_),
      clock_(clock != nullptr ? clock : new SystemClock),
      own_clock_(clock != nullptr ? nullptr : clock_) {}

absl::StatusOr<std::unique_ptr<DirectoryBlobs>> DirectoryBlobs::Open(const std::string& root,
                                                                     FileOps* ops,
                                                                     const Clock* clock,
                                                                     Sharing sharing) {
  std::unique_ptr<DirectoryBlobs> store(new DirectoryBlobs(root, ops, clock, sharing));
  ASSAY_RETURN_IF_ERROR(MakeDirectories(*store->ops_, root));
  const std::string tmp = TemporaryDirectory(root);
  if (::mkdir(tmp.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return DirectoryError("make", tmp, errno);
  }
  ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> shards, ListShards(root));
  ASSAY_RETURN_IF_ERROR(SyncDirectory(*store->ops_, root));
  {
    MutexLock lock(store->mutex_);
    store->durable_shards_.insert(shards.begin(), shards.end());
  }
  ASSAY_RETURN_IF_ERROR(RemoveStaleWrites(tmp));
  BlobCount count;
  for (const std::string& shard : shards) {
    ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, store->FilesOf(shard));
    for (const std::string& name : names) {
      struct stat status;
      if (!IsDigest(name) || ::stat(store->Path(name).c_str(), &status) != 0) continue;
      ++count.blobs;
      count.bytes += status.st_size;
    }
  }
  {
    MutexLock lock(store->hold_mutex_);
    store->count_ = count;
  }
  return store;
}

absl::Status DirectoryBlobs::MakeShard(const std::string& shard) {
  MutexLock lock(mutex_);
  if (durable_shards_.count(shard) > 0) return absl::OkStatus();
  const std::string path = ShardDirectory(root_, shard);
  // A directory that another process has just made must be synced, too: that process may not have
  // come to it yet.
  if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return DirectoryError("make", path, errno);
  }
  ASSAY_RETURN_IF_ERROR(SyncDirectory(*ops_, root_));
  durable_shards_.insert(shard);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BlobStore::Writer>> DirectoryBlobs::NewWriter(
    const std::string& digest, int64_t size, const std::string& holder) {
  std::string path = absl::StrCat(TemporaryDirectory(root_), "/", TemporaryName());
  const int fd = ops_->Open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode);
  if (fd < 0) return DirectoryError("create", path, errno);
  return std::make_unique<FileWriter>(*this, digest, size, holder, fd, std::move(path));
}

absl::StatusOr<bool> DirectoryBlobs::HoldIfThere(const std::string& digest,
                                                 const std::string& holder) {
  MutexLock lock(hold_mutex_);
  struct stat status;
  const std::string path = Path(digest);
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return false;
    return DirectoryError("inspect", path, errno);
  }
  Hold(digest, holder);
  return true;
}

absl::Status DirectoryBlobs::ReadPieces(
    const std::string& digest,
    const std::function<absl::Status(absl::string_view piece)>& consume) const {
  const std::string path = Path(digest);
  const FileDescriptor fd(ops_->Open(path, O_RDONLY | O_CLOEXEC, 0));
  if (fd.get() < 0) {
    if (errno != ENOENT) return DirectoryError("open", path, errno);
    ASSAY_RETURN_IF_ERROR(Probe());
    return Missing(digest);
  }
  std::string buffer(kCopyBytes, '\0');
  while (true) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count == 0) return absl::OkStatus();
    if (count > 0) {
      ASSAY_RETURN_IF_ERROR(
          consume(absl::string_view(buffer).substr(0, static_cast<size_t>(count))));
    } else if (errno != EINTR) {
      return DirectoryError("read", path, errno);
    }
  }
}

int64_t DirectoryBlobs::NowSeconds() const { return clock_->NowMicros() / 1'000'000; }

void DirectoryBlobs::SetTime(const std::string& digest, int64_t seconds) const {
  const timespec time = {static_cast<time_t>(seconds), 0};
  const timespec times[2] = {time, time};
  // Failure is no harm: the blob goes later, or must be uploaded again.
  ::utimensat(AT_FDCWD, Path(digest).c_str(), times, 0);
}

void DirectoryBlobs::Hold(const std::string& digest, const std::string& holder) {
  const int64_t now = NowSeconds();
  auto& holders = holds_[digest];
  struct stat status;
  if (holders.empty() && ::stat(Path(digest).c_str(), &status) == 0 &&
      AgeSeconds(status.st_mtime) < kHoldSeconds) {
    // Held by somebody whom an earlier process knew, or another one knows.
    holders[""] = status.st_mtime + kHoldSeconds;
  }
  int64_t& until = holders[holder];
  until = std::max(until, now + kHoldSeconds);
  SetTime(digest, now);
  if (sweeping_) touched_.insert(digest);
}

void DirectoryBlobs::Settle(const std::vector<std::string>& digests, const std::string& holder) {
  MutexLock lock(hold_mutex_);
  const int64_t now = NowSeconds();
  for (const std::string& digest : digests) {
    const auto held = holds_.find(digest);
    if (held == holds_.end() || held->second.erase(holder) == 0) continue;
    auto& holders = held->second;
    for (auto it = holders.begin(); it != holders.end();) {
      it = it->second <= now ? holders.erase(it) : std::next(it);
    }
    if (sweeping_) touched_.insert(digest);
    if (!holders.empty()) continue;
    holds_.erase(held);
    // What others hold is not known here.
    if (sharing_ == Sharing::kExclusive) SetTime(digest, kSettled);
  }
}

absl::StatusOr<int64_t> DirectoryBlobs::Size(const std::string& digest) const {
  if (!IsDigest(digest)) return Missing(digest);
  const std::string path = Path(digest);
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return DirectoryError("inspect", path, errno);
    // Of a directory that is not mounted nothing is there.
    ASSAY_RETURN_IF_ERROR(Probe());
    return Missing(digest);
  }
  return int64_t{status.st_size};
}

absl::Status DirectoryBlobs::Probe() const {
  const std::string path = TemporaryDirectory(root_);
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd.get() < 0 ? Unreachable() : absl::OkStatus();
}

absl::StatusOr<LocalBlob> DirectoryBlobs::Fetch(const std::string& digest,
                                                const std::function<bool()>& /*cancelled*/) const {
  // It lies where it always will; whether it does is all there is to know.
  ASSAY_RETURN_IF_ERROR(Size(digest).status());
  return LocalBlob(Path(digest));
}

std::string DirectoryBlobs::Path(const std::string& digest) const {
  return absl::StrCat(ShardDirectory(root_, ShardOf(digest)), "/", digest);
}

BlobCount DirectoryBlobs::Count() const {
  MutexLock lock(hold_mutex_);
  return count_;
}

absl::StatusOr<std::vector<std::string>> DirectoryBlobs::FilesOf(const std::string& shard) const {
  const std::string directory = ShardDirectory(root_, shard);
  std::error_code error;
  if (!std::filesystem::exists(directory, error) && !error) return std::vector<std::string>();
  return ListDirectory(directory);
}

absl::StatusOr<BlobStore::State> DirectoryBlobs::StateOf(const std::string& digest) const {
  const std::string path = Path(digest);
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return Missing(digest);
    return DirectoryError("inspect", path, errno);
  }
  return State{int64_t{status.st_size}, absl::StrCat(status.st_ino),
               AgeSeconds(status.st_mtime) < kHoldSeconds};
}

class DirectoryBlobs::FileReader final : public Reader {
 public:
  explicit FileReader(int fd) : fd_(fd), buffer_(kCopyBytes, '\0') {}
  absl::StatusOr<absl::string_view> Next() override {
    while (true) {
      const ssize_t count = ::read(fd_.get(), buffer_.data(), buffer_.size());
      if (count >= 0) return absl::string_view(buffer_).substr(0, static_cast<size_t>(count));
      if (errno == EINTR) continue;
      const int error = errno;
      return Error(Reason::kStorageFailed,
                   absl::StrCat("cannot be read: ",
                                std::error_code(error, std::generic_category()).message()))
          .ToStatus();
    }
  }
  std::string version() const override {
    struct stat status;
    return ::fstat(fd_.get(), &status) == 0 ? absl::StrCat(status.st_ino) : "";
  }

 private:
  const FileDescriptor fd_;
  std::string buffer_;
};

absl::StatusOr<std::unique_ptr<BlobStore::Reader>> DirectoryBlobs::OpenStored(
    const std::string& digest) const {
  const int fd = ::open(Path(digest).c_str(), O_RDONLY | O_CLOEXEC);
  const int error = errno;
  if (fd >= 0) return std::make_unique<FileReader>(fd);
  if (error == ENOENT) return Missing(digest);
  return Error(Reason::kStorageFailed,
               absl::StrCat("cannot be opened: ",
                            std::error_code(error, std::generic_category()).message()))
      .ToStatus();
}

absl::Status DirectoryBlobs::MoveAside(const std::string& digest) {
  const std::string directory = absl::StrCat(root_, "/corrupt");
  ASSAY_RETURN_IF_ERROR(MakeDirectories(*ops_, directory));
  MutexLock lock(hold_mutex_);
  const std::string path = Path(digest);
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return Missing(digest);
  // What was moved before stays: there may be something to learn from both.
  std::string aside = absl::StrCat(directory, "/", digest);
  for (int i = 1; ::access(aside.c_str(), F_OK) == 0; ++i) {
    aside = absl::StrCat(directory, "/", digest, ".", i);
  }
  if (ops_->Rename(path, aside) != 0) return DirectoryError("rename", path, errno);
  holds_.erase(digest);
  count_.blobs -= 1;
  count_.bytes -= status.st_size;
  ASSAY_RETURN_IF_ERROR(SyncDirectory(*ops_, directory));
  return SyncDirectory(*ops_, ShardDirectory(root_, ShardOf(digest)));
}

absl::StatusOr<std::vector<std::string>> DirectoryBlobs::SweepCandidates() const {
  std::vector<std::string> candidates;
  ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> shards, ListShards(root_));
  for (const std::string& shard : shards) {
    ASSAY_ASSIGN_OR_RETURN(std::vector<std::string> names, FilesOf(shard));
    for (std::string& name : names) {
      struct stat status;
      if (IsDigest(name) && ::stat(Path(name).c_str(), &status) == 0 &&
          AgeSeconds(status.st_mtime) >= kHoldSeconds) {
        candidates.push_back(std::move(name));
      }
    }
  }
  return candidates;
}

absl::StatusOr<bool> DirectoryBlobs::Remove(const std::string& digest) {
  const std::string path = Path(digest);
  // Out of the way first, and then looked at again: who holds it before that is seen here, and who
  // wants to later finds nothing to rely on.
  const std::string aside = absl::StrCat(TemporaryDirectory(root_), "/", TemporaryName());
  if (::rename(path.c_str(), aside.c_str()) != 0) {
    if (errno == ENOENT) return false;
    return DirectoryError("remove", path, errno);
  }
  struct stat status;
  if (::stat(aside.c_str(), &status) == 0 && AgeSeconds(status.st_mtime) < kHoldSeconds) {
    if (::rename(aside.c_str(), path.c_str()) != 0) return DirectoryError("put back", path, errno);
    return false;
  }
  if (::unlink(aside.c_str()) != 0) return DirectoryError("remove", aside, errno);
  return true;
}

absl::StatusOr<BlobCount> DirectoryBlobs::Sweep(
    const std::function<bool(const std::string& digest)>& in_use) {
  MutexLock one_at_a_time(sweep_mutex_);
  ASSAY_RETURN_IF_ERROR(RemoveStaleWrites(TemporaryDirectory(root_)));
  {
    MutexLock lock(hold_mutex_);
    sweeping_ = true;
    touched_.clear();
    // What has run out need not be remembered: the times of the files tell the rest.
    const int64_t now = NowSeconds();
    for (auto it = holds_.begin(); it != holds_.end();) {
      const bool over = std::all_of(it->second.begin(), it->second.end(),
                                    [&](const auto& hold) { return hold.second <= now; });
      it = over ? holds_.erase(it) : std::next(it);
    }
  }
  const auto candidates = SweepCandidates();
  BlobCount freed;
  absl::Status failure = candidates.status();
  for (const std::string& digest : candidates.value_or(std::vector<std::string>())) {
    if (in_use(digest)) continue;
    MutexLock lock(hold_mutex_);
    if (touched_.count(digest) > 0) continue;
    const std::string path = Path(digest);
    struct stat status;
    // Another process may have held it meanwhile.
    if (::stat(path.c_str(), &status) != 0 || AgeSeconds(status.st_mtime) < kHoldSeconds) {
      continue;
    }
    const absl::StatusOr<bool> removed = Remove(digest);
    if (!removed.ok()) {
      failure = removed.status();
    } else if (*removed) {
      ++freed.blobs;
      freed.bytes += status.st_size;
      count_.blobs -= 1;
      count_.bytes -= status.st_size;
      holds_.erase(digest);
    }
  }
  MutexLock lock(hold_mutex_);
  sweeping_ = false;
  if (!failure.ok()) return failure;
  return freed;
}

}  // namespace assay::store
