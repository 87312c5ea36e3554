#include "server/store/blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/log.h"

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

// The full disk is told to clients, so its text names no path.
absl::Status FileError(const char* what, const std::string& path, int error) {
  // EFBIG: a limit on file sizes, which is a lack of room too.
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return Error(Reason::kStorageFull, "no space is left to store the data").ToStatus();
  }
  const std::string text = absl::StrCat("cannot ", what, " ", path, ": ",
                                        std::error_code(error, std::generic_category()).message());
  // The directory is not there, or its file server does not answer: as long as it is not mounted.
  if (error == ENOENT || error == ESTALE || error == ETIMEDOUT || error == ENOTCONN ||
      error == EHOSTDOWN) {
    LogWarning("the blobs cannot be reached", {{"error", text}});
    return Unreachable();
  }
  return Error(Reason::kStorageFailed, text);
}

absl::Status Missing(const std::string& digest) {
  return Error(Reason::kChunkMissing, absl::StrCat("chunk ", digest, " has not been uploaded"))
      .With("digest", digest)
      .ToStatus();
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
  if (fd.get() < 0) return FileError("open", path, errno);
  if (ops.Fsync(fd.get()) != 0) return FileError("sync", path, errno);
  return absl::OkStatus();
}

// Makes a directory and its parents. Each new entry is synced, because what is put below is only as
// durable as the path to it.
absl::Status MakeDirectories(FileOps& ops, const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return absl::OkStatus();
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  if (parent != path) ASSAY_RETURN_IF_ERROR(MakeDirectories(ops, parent));
  if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return FileError("make", path.string(), errno);
  }
  return SyncDirectory(ops, parent.string());
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
  if (error) return FileError("list", path, error.value());
  return names;
}

// Hands the blob that lies at `path` to `consume`, piece by piece.
absl::Status ReadPieces(FileOps& ops, const std::string& path, const std::string& digest,
                        const std::function<absl::Status(absl::string_view piece)>& consume) {
  const FileDescriptor fd(ops.Open(path, O_RDONLY | O_CLOEXEC, 0));
  if (fd.get() < 0) return errno == ENOENT ? Missing(digest) : FileError("open", path, errno);
  std::string buffer(kCopyBytes, '\0');
  while (true) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count == 0) return absl::OkStatus();
    if (count > 0) {
      ASSAY_RETURN_IF_ERROR(
          consume(absl::string_view(buffer).substr(0, static_cast<size_t>(count))));
    } else if (errno != EINTR) {
      return FileError("read", path, errno);
    }
  }
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
      return FileError("remove", path, errno);
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

struct BlobStore::Writer::State {
  State(int fd_in, std::string path_in) : fd(fd_in), path(std::move(path_in)) {}
  ~State() {
    if (!renamed) ::unlink(path.c_str());
  }
  FileDescriptor fd;
  const std::string path;
  Sha256 hash;
  bool renamed = false;
  absl::Status failure;  // of an earlier call; the content is not to be trusted any more
};

BlobStore::Writer::Writer(BlobStore* store, std::string digest, int64_t size, std::string holder)
    : store_(store), digest_(std::move(digest)), size_(size), holder_(std::move(holder)) {}

BlobStore::Writer::~Writer() = default;

absl::Status BlobStore::Writer::Append(absl::string_view bytes) {
  if (state_ == nullptr) return Error(Reason::kInternal, "Append after Commit");
  if (!state_->failure.ok()) return state_->failure;
  if (static_cast<int64_t>(bytes.size()) > remaining_bytes()) {
    state_->failure =
        Error(Reason::kTooLarge, absl::StrCat("chunk ", digest_, " was announced with ", size_,
                                              " bytes, but more arrived"))
            .With("digest", digest_)
            .ToStatus();
    return state_->failure;
  }
  state_->hash.Update(bytes);
  written_ += static_cast<int64_t>(bytes.size());
  while (!bytes.empty()) {
    const int64_t count = store_->ops_->Write(state_->fd.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      state_->failure = FileError("write", state_->path, count < 0 ? errno : EIO);
      return state_->failure;
    }
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status BlobStore::Writer::Commit() {
  if (state_ == nullptr) return Error(Reason::kInternal, "Commit after Commit");
  // Whatever happens, this writer is done: what is not in place at the end of this function is
  // removed.
  const std::unique_ptr<State> state = std::move(state_);
  if (!state->failure.ok()) return state->failure;
  if (remaining_bytes() > 0) {
    return Error(Reason::kUploadIncomplete, absl::StrCat("chunk ", digest_, " ended after ",
                                                         written_, " of ", size_, " bytes"))
        .With("digest", digest_)
        .ToStatus();
  }
  const std::string actual = state->hash.HexDigest();
  if (actual != digest_) {
    return Error(Reason::kDigestMismatch,
                 absl::StrCat("the bytes announced as ", digest_, " have the digest ", actual))
        .With("digest", digest_)
        .With("actual", actual)
        .ToStatus();
  }
  FileOps& ops = *store_->ops_;
  if (ops.Fsync(state->fd.get()) != 0) return FileError("sync", state->path, errno);
  struct stat own;
  if (::fstat(state->fd.get(), &own) != 0) return FileError("inspect", state->path, errno);
  const std::string shard = ShardOf(digest_);
  ASSAY_RETURN_IF_ERROR(store_->MakeShard(shard));
  const std::string path = store_->Path(digest_);
  bool existed = false;
  int64_t replaced = 0;  // bytes
  {
    MutexLock lock(store_->hold_mutex_);
    struct stat before;
    existed = ::stat(path.c_str(), &before) == 0;
    replaced = existed ? before.st_size : 0;
    // The new file hides the time of one that is there. What is new was held by nobody.
    if (existed) {
      store_->Hold(digest_, holder_);
    } else {
      store_->holds_[digest_].clear();
      store_->holds_[digest_][holder_] = 0;
    }
    // A blob that is there already is replaced by the same bytes, and must be synced anyway, since
    // another process may have renamed it a moment ago.
    if (ops.Rename(state->path, path) != 0) return FileError("rename", state->path, errno);
    state->renamed = true;
    store_->Hold(digest_, holder_);
    store_->count_.blobs += existed ? 0 : 1;
    store_->count_.bytes += size_ - replaced;
  }
  const absl::Status synced = SyncDirectory(ops, ShardDirectory(store_->root_, shard));
  if (!synced.ok() && !existed) {
    // Not acknowledged, so it must not look as if it were; unless somebody else has put the blob
    // there meanwhile.
    MutexLock lock(store_->hold_mutex_);
    struct stat now;
    if (::stat(path.c_str(), &now) == 0 && now.st_ino == own.st_ino &&
        ::unlink(path.c_str()) == 0) {
      store_->count_.blobs -= 1;
      store_->count_.bytes -= size_;
    }
  }
  return synced;
}

BlobStore::BlobStore(std::string root, FileOps* ops, const Clock* clock, Sharing sharing)
    : root_(std::move(root)),
      sharing_(sharing),
      ops_(ops != nullptr ? ops : new FileOps),
      own_ops_(ops != nullptr ? nullptr : ops_),
      clock_(clock != nullptr ? clock : new SystemClock),
      own_clock_(clock != nullptr ? nullptr : clock_) {}

absl::StatusOr<std::unique_ptr<BlobStore>> BlobStore::Open(const std::string& root, FileOps* ops,
                                                           const Clock* clock, Sharing sharing) {
  std::unique_ptr<BlobStore> store(new BlobStore(root, ops, clock, sharing));
  ASSAY_RETURN_IF_ERROR(MakeDirectories(*store->ops_, root));
  const std::string tmp = TemporaryDirectory(root);
  if (::mkdir(tmp.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return FileError("make", tmp, errno);
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

absl::Status BlobStore::MakeShard(const std::string& shard) {
  MutexLock lock(mutex_);
  if (durable_shards_.count(shard) > 0) return absl::OkStatus();
  const std::string path = ShardDirectory(root_, shard);
  // A directory that another process has just made must be synced, too: that process may not have
  // come to it yet.
  if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return FileError("make", path, errno);
  }
  ASSAY_RETURN_IF_ERROR(SyncDirectory(*ops_, root_));
  durable_shards_.insert(shard);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BlobStore::Writer>> BlobStore::Create(const std::string& digest,
                                                                     int64_t size,
                                                                     const std::string& holder) {
  std::vector<FieldViolation> violations;
  if (!IsDigest(digest)) {
    violations.push_back({"digest", "must be 64 lower-case hexadecimal digits"});
  }
  if (size < 0) {
    violations.push_back({"size_bytes", absl::StrCat("must not be negative; got ", size)});
  }
  if (!violations.empty()) return InvalidFields(std::move(violations));
  std::unique_ptr<Writer> writer(new Writer(this, digest, size, holder));
  std::string path = absl::StrCat(TemporaryDirectory(root_), "/", TemporaryName());
  const int fd = ops_->Open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode);
  if (fd < 0) return FileError("create", path, errno);
  writer->state_ = std::make_unique<Writer::State>(fd, std::move(path));
  return writer;
}

absl::StatusOr<std::string> BlobStore::Put(absl::string_view bytes, const std::string& holder) {
  std::string digest = Sha256Hex(bytes);
  ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<Writer> writer,
                         Create(digest, static_cast<int64_t>(bytes.size()), holder));
  ASSAY_RETURN_IF_ERROR(writer->Append(bytes));
  ASSAY_RETURN_IF_ERROR(writer->Commit());
  return digest;
}

absl::Status BlobStore::Join(const std::vector<std::string>& parts, const std::string& digest,
                             const std::string& holder) {
  int64_t size = 0;
  for (const std::string& part : parts) {
    ASSAY_ASSIGN_OR_RETURN(const int64_t part_size, Size(part));
    size += part_size;
  }
  ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<Writer> writer, Create(digest, size, holder));
  for (const std::string& part : parts) {
    ASSAY_RETURN_IF_ERROR(ReadPieces(
        *ops_, Path(part), part, [&](absl::string_view piece) { return writer->Append(piece); }));
  }
  return writer->Commit();
}

bool BlobStore::Has(const std::string& digest, const std::string& holder) {
  if (!IsDigest(digest)) return false;
  MutexLock lock(hold_mutex_);
  struct stat status;
  if (::stat(Path(digest).c_str(), &status) != 0) return false;
  Hold(digest, holder);
  return true;
}

int64_t BlobStore::NowSeconds() const { return clock_->NowMicros() / 1'000'000; }

void BlobStore::SetTime(const std::string& digest, int64_t seconds) const {
  const timespec time = {static_cast<time_t>(seconds), 0};
  const timespec times[2] = {time, time};
  // Failure is no harm: the blob goes later, or must be uploaded again.
  ::utimensat(AT_FDCWD, Path(digest).c_str(), times, 0);
}

void BlobStore::Hold(const std::string& digest, const std::string& holder) {
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

void BlobStore::Settle(const std::vector<std::string>& digests, const std::string& holder) {
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

absl::StatusOr<int64_t> BlobStore::Size(const std::string& digest) const {
  if (!IsDigest(digest)) return Missing(digest);
  const std::string path = Path(digest);
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return FileError("inspect", path, errno);
    // Of a directory that is not mounted nothing is there.
    ASSAY_RETURN_IF_ERROR(Probe());
    return Missing(digest);
  }
  return int64_t{status.st_size};
}

absl::Status BlobStore::Probe() const {
  const std::string path = TemporaryDirectory(root_);
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd.get() < 0 ? Unreachable() : absl::OkStatus();
}

absl::StatusOr<std::string> BlobStore::Read(const std::string& digest) const {
  ASSAY_ASSIGN_OR_RETURN(const int64_t size, Size(digest));
  std::string bytes;
  bytes.reserve(static_cast<size_t>(size));
  ASSAY_RETURN_IF_ERROR(ReadPieces(*ops_, Path(digest), digest, [&](absl::string_view piece) {
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  }));
  return bytes;
}

std::string BlobStore::Path(const std::string& digest) const {
  return absl::StrCat(ShardDirectory(root_, ShardOf(digest)), "/", digest);
}

BlobCount BlobStore::Count() const {
  MutexLock lock(hold_mutex_);
  return count_;
}

absl::StatusOr<std::vector<std::string>> BlobStore::Shards() const {
  ASSAY_ASSIGN_OR_RETURN(std::vector<std::string> shards, ListShards(root_));
  std::sort(shards.begin(), shards.end());
  return shards;
}

absl::StatusOr<std::vector<std::string>> BlobStore::FilesOf(const std::string& shard) const {
  return ListDirectory(ShardDirectory(root_, shard));
}

bool BlobStore::IsHeld(const std::string& digest) const {
  struct stat status;
  return ::stat(Path(digest).c_str(), &status) == 0 && AgeSeconds(status.st_mtime) < kHoldSeconds;
}

absl::Status BlobStore::MoveAside(const std::string& digest) {
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
  if (ops_->Rename(path, aside) != 0) return FileError("rename", path, errno);
  holds_.erase(digest);
  count_.blobs -= 1;
  count_.bytes -= status.st_size;
  ASSAY_RETURN_IF_ERROR(SyncDirectory(*ops_, directory));
  return SyncDirectory(*ops_, ShardDirectory(root_, ShardOf(digest)));
}

absl::StatusOr<std::vector<std::string>> BlobStore::SweepCandidates() const {
  std::vector<std::string> candidates;
  ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> shards, Shards());
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

absl::StatusOr<bool> BlobStore::Remove(const std::string& digest) {
  const std::string path = Path(digest);
  // Out of the way first, and then looked at again: who holds it before that is seen here, and who
  // wants to later finds nothing to rely on.
  const std::string aside = absl::StrCat(TemporaryDirectory(root_), "/", TemporaryName());
  if (::rename(path.c_str(), aside.c_str()) != 0) {
    if (errno == ENOENT) return false;
    return FileError("remove", path, errno);
  }
  struct stat status;
  if (::stat(aside.c_str(), &status) == 0 && AgeSeconds(status.st_mtime) < kHoldSeconds) {
    if (::rename(aside.c_str(), path.c_str()) != 0) return FileError("put back", path, errno);
    return false;
  }
  if (::unlink(aside.c_str()) != 0) return FileError("remove", aside, errno);
  return true;
}

absl::StatusOr<BlobCount> BlobStore::Sweep(
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
