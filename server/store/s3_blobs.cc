#include "server/store/s3_blobs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "server/store/file_error.h"

namespace assay::store {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr char kHolds[] = "holds/";
constexpr char kSweeping[] = "sweeping/";
// What is held by nobody.
constexpr int64_t kFreeSeconds = 2 * BlobStore::kHoldSeconds;
// What a killed process has left of uploads and removals.
constexpr int64_t kLeftSeconds = BlobStore::kHoldSeconds;
// A process that was stopped between two steps must not go on with a removal.
constexpr int64_t kShareOfSweep = 4;
constexpr auto kPollInterval = std::chrono::milliseconds(200);
constexpr int64_t kPieceBytes = 4 << 20;
// At the same time, of one call.
constexpr int kRequests = 16;
// Of a blob whose bytes come out wrong.
constexpr int kDownloads = 2;

absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return FileError("write", path, count < 0 ? errno : EIO);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

// A file of the cache's that is being made, and is gone again unless it is adopted.
class NewFile {
 public:
  static absl::StatusOr<std::unique_ptr<NewFile>> Create(std::string path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0) return FileError("create", path, errno);
    return std::unique_ptr<NewFile>(new NewFile(fd, std::move(path)));
  }
  ~NewFile() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }

 private:
  NewFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  const int fd_;
  const std::string path_;
};

std::string RandomNumber() {
  std::random_device device;
  return absl::StrFormat("%08x%08x", device(), device());
}

}  // namespace

class S3Blobs::S3Writer final : public Writer {
 public:
  S3Writer(S3Blobs& store, const std::string& digest, int64_t size, std::unique_ptr<NewFile> file)
      : Writer(digest, size), store_(store), file_(std::move(file)) {}

 private:
  absl::Status Write(absl::string_view bytes) override {
    absl::Status status = WriteAll(file_->fd(), bytes, file_->path());
    if (ReasonOf(status) == Reason::kStorageFull && store_.cache_->MakeRoom()) {
      // From where this piece began.
      if (::lseek(file_->fd(), at_, SEEK_SET) < 0) return status;
      status = WriteAll(file_->fd(), bytes, file_->path());
    }
    at_ += static_cast<off_t>(bytes.size());
    return status;
  }
  absl::Status Finish() override {
    ASSAY_RETURN_IF_ERROR(store_.Upload(digest(), file_->fd(), size()));
    // Those who have brought it want it next: datasets are looked at when they are created.
    store_.cache_->Adopt(digest(), file_->path());
    MutexLock lock(store_.mutex_);
    ++store_.brought_.blobs;
    store_.brought_.bytes += size();
    return absl::OkStatus();
  }
  void Drop() override { file_.reset(); }

  S3Blobs& store_;
  std::unique_ptr<NewFile> file_;
  off_t at_ = 0;
};

class S3Blobs::S3Reader final : public Reader {
 public:
  S3Reader(S3Client& client, S3Object object) : client_(client), object_(std::move(object)) {}
  absl::StatusOr<absl::string_view> Next() override {
    piece_.clear();
    const int64_t most = std::min(kPieceBytes, object_.bytes - at_);
    if (most <= 0) return absl::string_view();
    ASSAY_RETURN_IF_ERROR(client_.Get(object_.key, at_, most, [&](absl::string_view bytes) {
      piece_.append(bytes.data(), bytes.size());
      return absl::OkStatus();
    }));
    at_ += static_cast<int64_t>(piece_.size());
    return absl::string_view(piece_);
  }
  std::string version() const override { return object_.etag; }

 private:
  S3Client& client_;
  const S3Object object_;
  int64_t at_ = 0;
  std::string piece_;
};

S3Blobs::S3Blobs(S3BlobsOptions options, std::shared_ptr<AwsCredentials> credentials,
                 std::unique_ptr<BlobCache> cache)
    : BlobStore(kRequests),
      options_(std::move(options)),
      client_(
          [this] {
            S3Options s3 = options_.s3;
            s3.bucket = options_.location.bucket;
            return s3;
          }(),
          std::move(credentials)),
      cache_(std::move(cache)) {}

absl::StatusOr<std::unique_ptr<S3Blobs>> S3Blobs::Open(
    S3BlobsOptions options, std::shared_ptr<AwsCredentials> credentials) {
  ASSAY_RETURN_IF_ERROR(credentials->Get().status());
  ASSAY_ASSIGN_OR_RETURN(auto cache, BlobCache::Open(options.cache_directory, options.cache_bytes));
  std::unique_ptr<S3Blobs> store(
      new S3Blobs(std::move(options), std::move(credentials), std::move(cache)));
  // Before anybody relies on it. What is there is looked through by the first sweep.
  ASSAY_RETURN_IF_ERROR(store->client_.Put(store->Key("assay-blobs"), "1\n"));
  ASSAY_RETURN_IF_ERROR(store->client_.List(store->Key(kSweeping), "", 1).status());
  return store;
}

std::string S3Blobs::Key(absl::string_view name) const {
  const std::string& prefix = options_.location.prefix;
  return absl::StrCat(prefix, prefix.empty() ? "" : "/", name);
}
std::string S3Blobs::BlobKey(const std::string& digest) const {
  return Key(absl::StrCat(digest.substr(0, 2), "/", digest));
}
std::string S3Blobs::HoldKey(const std::string& digest) const {
  return Key(absl::StrCat(kHolds, digest));
}

absl::StatusOr<std::optional<S3Object>> S3Blobs::Look(const std::string& key) const {
  auto object = client_.Head(key);
  if (object.ok()) return std::optional<S3Object>(*std::move(object));
  if (ReasonOf(object.status()) == Reason::kNotFound) return std::optional<S3Object>();
  return object.status();
}

absl::StatusOr<bool> S3Blobs::WaitForSweeps(const std::string& digest) const {
  bool somebody = false;
  const auto give_up = SteadyClock::now() + std::chrono::seconds(2 * options_.sweep_seconds);
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const S3Page page,
                           client_.List(Key(absl::StrCat(kSweeping, digest, ".")), "", 100));
    const bool about_to = std::any_of(
        page.objects.begin(), page.objects.end(),
        [&](const S3Object& mark) { return mark.age_seconds <= options_.sweep_seconds; });
    if (!about_to) return somebody;
    somebody = true;
    if (SteadyClock::now() > give_up) {
      return Error(Reason::kUnavailable, "object storage: a blob is being removed again and again")
          .ToStatus();
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

absl::Status S3Blobs::Upload(const std::string& digest, int fd, int64_t size) {
  // A second time where somebody was about to remove it, and may have done so since.
  while (true) {
    ASSAY_RETURN_IF_ERROR(client_.PutFile(BlobKey(digest), fd, size, digest));
    ASSAY_ASSIGN_OR_RETURN(const bool somebody, WaitForSweeps(digest));
    if (!somebody) return absl::OkStatus();
    ASSAY_ASSIGN_OR_RETURN(const std::optional<S3Object> object, Look(BlobKey(digest)));
    if (object.has_value()) return absl::OkStatus();
  }
}

absl::StatusOr<std::unique_ptr<BlobStore::Writer>> S3Blobs::NewWriter(
    const std::string& digest, int64_t size, const std::string& /*holder*/) {
  ASSAY_ASSIGN_OR_RETURN(auto file, NewFile::Create(cache_->NewPath()));
  return std::make_unique<S3Writer>(*this, digest, size, std::move(file));
}

absl::StatusOr<bool> S3Blobs::HoldIfThere(const std::string& digest,
                                          const std::string& /*holder*/) {
  ASSAY_ASSIGN_OR_RETURN(std::optional<S3Object> blob, Look(BlobKey(digest)));
  if (!blob.has_value()) return false;
  if (blob->age_seconds < kHoldSeconds) return true;
  ASSAY_ASSIGN_OR_RETURN(const std::optional<S3Object> hold, Look(HoldKey(digest)));
  if (hold.has_value() && hold->age_seconds < kHoldSeconds) return true;
  ASSAY_RETURN_IF_ERROR(client_.Put(HoldKey(digest), ""));
  ASSAY_RETURN_IF_ERROR(WaitForSweeps(digest).status());
  ASSAY_ASSIGN_OR_RETURN(blob, Look(BlobKey(digest)));
  return blob.has_value();
}

void S3Blobs::Settle(const std::vector<std::string>& /*digests*/, const std::string& /*holder*/) {}

absl::StatusOr<int64_t> S3Blobs::Size(const std::string& digest) const {
  if (!IsDigest(digest)) return Missing(digest);
  ASSAY_ASSIGN_OR_RETURN(const std::optional<S3Object> blob, Look(BlobKey(digest)));
  if (!blob.has_value()) return Missing(digest);
  return blob->bytes;
}

absl::Status S3Blobs::Download(const std::string& digest, const std::string& path,
                               const std::function<bool()>& cancelled) const {
  for (int download = 1;; ++download) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) return FileError("create", path, errno);
    Sha256 hash;
    const absl::Status got = client_.Get(
        BlobKey(digest), 0, std::nullopt,
        [&](absl::string_view bytes) {
          hash.Update(bytes);
          return WriteAll(fd, bytes, path);
        },
        cancelled);
    ::close(fd);
    if (ReasonOf(got) == Reason::kNotFound) return Missing(digest);
    ASSAY_RETURN_IF_ERROR(got);
    const std::string actual = hash.HexDigest();
    if (actual == digest) return absl::OkStatus();
    LogWarning("object storage gave other bytes than a blob's",
               {{"digest", digest}, {"actual", actual}, {"download", download}});
    if (download == kDownloads) {
      return Error(Reason::kStorageFailed,
                   absl::StrCat("the object storage has other bytes than those of blob ", digest,
                                ": their SHA-256 is ", actual))
          .ToStatus();
    }
  }
}

absl::StatusOr<LocalBlob> S3Blobs::Fetch(const std::string& digest,
                                         const std::function<bool()>& cancelled) const {
  if (!IsDigest(digest)) return Missing(digest);
  return cache_->Get(
      digest, [&](const std::string& path) { return Download(digest, path, cancelled); },
      cancelled);
}

absl::Status S3Blobs::ReadPieces(
    const std::string& digest,
    const std::function<absl::Status(absl::string_view piece)>& consume) const {
  ASSAY_ASSIGN_OR_RETURN(const LocalBlob blob, Fetch(digest, nullptr));
  const int fd = ::open(blob.path().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError("open", blob.path(), errno);
  std::string buffer(1 << 20, '\0');
  absl::Status status;
  while (status.ok()) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count == 0) break;
    if (count > 0) {
      status = consume(absl::string_view(buffer).substr(0, static_cast<size_t>(count)));
    } else if (errno != EINTR) {
      status = FileError("read", blob.path(), errno);
    }
  }
  ::close(fd);
  return status;
}

absl::StatusOr<bool> S3Blobs::Remove(const std::string& digest) {
  const std::string mark = Key(absl::StrCat(kSweeping, digest, ".", RandomNumber()));
  const auto begin = SteadyClock::now();
  ASSAY_RETURN_IF_ERROR(client_.Put(mark, ""));
  const auto remove = [&]() -> absl::StatusOr<bool> {
    for (const std::string& key : {BlobKey(digest), HoldKey(digest)}) {
      ASSAY_ASSIGN_OR_RETURN(const std::optional<S3Object> object, Look(key));
      if (object.has_value() && object->age_seconds < kFreeSeconds) return false;
    }
    // Others wait for sweep_seconds and then do not expect this any more. Once, for the same
    // reason: a request that is repeated may come late.
    if (SteadyClock::now() - begin >
        std::chrono::seconds(std::max<int64_t>(1, options_.sweep_seconds / kShareOfSweep))) {
      return false;
    }
    ASSAY_RETURN_IF_ERROR(client_.Delete(BlobKey(digest), /*repeat=*/false));
    return true;
  };
  const absl::StatusOr<bool> removed = remove();
  // One whose end is not known keeps its mark, until that is too old to count.
  if (!removed.ok()) return removed;
  if (*removed) {
    cache_->Drop(digest);
    client_.Delete(HoldKey(digest)).IgnoreError();  // the next sweep finds it
  }
  ASSAY_RETURN_IF_ERROR(client_.Delete(mark));
  return removed;
}

absl::StatusOr<BlobCount> S3Blobs::Sweep(
    const std::function<bool(const std::string& digest)>& in_use) {
  MutexLock one_at_a_time(sweep_mutex_);
  {
    MutexLock lock(mutex_);
    count_.blobs += brought_.blobs;
    count_.bytes += brought_.bytes;
    brought_ = BlobCount();
  }
  BlobCount all;
  std::map<std::string, int64_t> candidates;  // bytes
  std::map<std::string, int64_t> holds;       // age
  std::vector<std::string> left;              // keys of marks
  const std::string root = Key("");
  std::string after;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const S3Page page, client_.List(root, after));
    for (const S3Object& object : page.objects) {
      absl::string_view name = object.key;
      if (!absl::ConsumePrefix(&name, root)) continue;
      if (absl::ConsumePrefix(&name, kHolds)) {
        holds[std::string(name)] = object.age_seconds;
      } else if (absl::StartsWith(name, kSweeping)) {
        if (object.age_seconds > kLeftSeconds) left.push_back(object.key);
      } else if (name.size() > 3 && name[2] == '/' && IsDigest(name.substr(3)) &&
                 absl::StartsWith(name.substr(3), name.substr(0, 2))) {
        ++all.blobs;
        all.bytes += object.bytes;
        if (object.age_seconds >= kFreeSeconds) {
          candidates[std::string(name.substr(3))] = object.bytes;
        }
      }
    }
    if (!page.more || page.objects.empty()) break;
    after = page.objects.back().key;
  }
  {
    MutexLock lock(mutex_);
    count_ = all;
  }
  for (const auto& [digest, age] : holds) {
    const auto candidate = candidates.find(digest);
    if (candidate != candidates.end() && age < kFreeSeconds) candidates.erase(candidate);
  }
  BlobCount freed;
  for (const auto& [digest, bytes] : candidates) {
    if (in_use(digest)) continue;
    ASSAY_ASSIGN_OR_RETURN(const bool removed, Remove(digest));
    if (!removed) continue;
    ++freed.blobs;
    freed.bytes += bytes;
    MutexLock lock(mutex_);
    count_.blobs -= 1;
    count_.bytes -= bytes;
  }
  for (const std::string& key : left) ASSAY_RETURN_IF_ERROR(client_.Delete(key));
  const absl::Status dropped = client_.DropUploads(root, kLeftSeconds);
  // Not every storage lists them; a rule of the bucket does the same.
  if (!dropped.ok()) LogDebug("cannot look for unfinished uploads", {{"error", dropped.message()}});
  return freed;
}

absl::Status S3Blobs::Probe() const {
  return Traffic().answers ? absl::OkStatus() : client_.List(Key(kSweeping), "", 1).status();
}

BlobCount S3Blobs::Count() const {
  MutexLock lock(mutex_);
  return {count_.blobs + brought_.blobs, count_.bytes + brought_.bytes};
}

absl::StatusOr<std::vector<std::string>> S3Blobs::FilesOf(const std::string& shard) const {
  const std::string root = Key(absl::StrCat(shard, "/"));
  std::vector<std::string> names;
  std::string after;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const S3Page page, client_.List(root, after));
    for (const S3Object& object : page.objects) names.push_back(object.key.substr(root.size()));
    if (!page.more || page.objects.empty()) return names;
    after = page.objects.back().key;
  }
}

absl::StatusOr<BlobStore::State> S3Blobs::StateOf(const std::string& digest) const {
  ASSAY_ASSIGN_OR_RETURN(const std::optional<S3Object> blob, Look(BlobKey(digest)));
  if (!blob.has_value()) return Missing(digest);
  State state{blob->bytes, blob->etag, blob->age_seconds < kFreeSeconds};
  if (!state.held) {
    ASSAY_ASSIGN_OR_RETURN(const std::optional<S3Object> hold, Look(HoldKey(digest)));
    state.held = hold.has_value() && hold->age_seconds < kFreeSeconds;
  }
  return state;
}

absl::StatusOr<std::unique_ptr<BlobStore::Reader>> S3Blobs::OpenStored(
    const std::string& digest) const {
  ASSAY_ASSIGN_OR_RETURN(std::optional<S3Object> blob, Look(BlobKey(digest)));
  if (!blob.has_value()) return Missing(digest);
  return std::make_unique<S3Reader>(client_, *std::move(blob));
}

absl::Status S3Blobs::MoveAside(const std::string& digest) {
  ASSAY_ASSIGN_OR_RETURN(const std::optional<S3Object> blob, Look(BlobKey(digest)));
  if (!blob.has_value()) return Missing(digest);
  // What was moved before stays: there may be something to learn from both.
  ASSAY_RETURN_IF_ERROR(
      client_.Copy(BlobKey(digest), Key(absl::StrCat("corrupt/", digest, ".", RandomNumber()))));
  ASSAY_RETURN_IF_ERROR(client_.Delete(BlobKey(digest)));
  cache_->Drop(digest);
  MutexLock lock(mutex_);
  count_.blobs -= 1;
  count_.bytes -= blob->bytes;
  return absl::OkStatus();
}

}  // namespace assay::store
