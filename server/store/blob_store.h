// Content-addressed blobs: what was acknowledged is durable, and every byte handed out has been
// verified once. They are in a directory (directory_blobs.h) or in object storage (s3_blobs.h).
//
// Holds. An upload relies on blobs before anything stored names them: those that it brought and
// those that it was told are there. It holds them, under any name that tells it from other uploads,
// until it settles them, at most kHoldSeconds after it last brought or asked. Holds survive a
// restart, but for who they were by; what was held by then lasts its time.
#ifndef ASSAY_SERVER_STORE_BLOB_STORE_H_
#define ASSAY_SERVER_STORE_BLOB_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/digest.h"

namespace assay::store {

// A number of blobs, and their bytes together.
struct BlobCount {
  int64_t blobs = 0;
  int64_t bytes = 0;
};

// A blob as a file of this machine, which stays where it is as long as this or a copy of it. Must
// not outlive the store.
class LocalBlob {
 public:
  explicit LocalBlob(std::string path, std::shared_ptr<const void> pin = nullptr)
      : path_(std::move(path)), pin_(std::move(pin)) {}
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::shared_ptr<const void> pin_;
};

// Thread-safe. Errors, unless another is named: kStorageFull; kStorageFailed (a disk; wrong bytes);
// kUnavailable (object storage that does not answer, or refuses: may pass).
class BlobStore {
 public:
  static constexpr int64_t kHoldSeconds = 24 * 3600;

  virtual ~BlobStore() = default;

  // Receives one blob piece by piece. Destroying it before Commit leaves no trace. Not thread-safe.
  class Writer {
   public:
    virtual ~Writer() = default;
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    // kTooLarge when more arrives than was announced.
    absl::Status Append(absl::string_view bytes);
    // Verifies size and digest (kUploadIncomplete, kDigestMismatch), makes the blob durable. The
    // holder holds it.
    absl::Status Commit();
    int64_t remaining_bytes() const { return size_ - written_; }

   protected:
    Writer(std::string digest, int64_t size) : digest_(std::move(digest)), size_(size) {}
    const std::string& digest() const { return digest_; }
    int64_t size() const { return size_; }

   private:
    // Whatever they say, no more bytes come after an error.
    virtual absl::Status Write(absl::string_view bytes) = 0;
    // All bytes are there and right.
    virtual absl::Status Finish() = 0;
    // What was written is of no use.
    virtual void Drop() = 0;

    const std::string digest_;
    const int64_t size_;
    int64_t written_ = 0;
    Sha256 hash_;
    bool ended_ = false;
    absl::Status failure_;  // of an earlier call; the content is not to be trusted any more
  };

  // A holder of "" never settles. kInvalidArgument: malformed digest or size.
  absl::StatusOr<std::unique_ptr<Writer>> Create(const std::string& digest, int64_t size,
                                                 const std::string& holder = "");
  // Writes a whole blob and returns its digest.
  absl::StatusOr<std::string> Put(absl::string_view bytes, const std::string& holder = "");
  // Joins blobs, in order, into one whose digest must be `digest`. kChunkMissing names the first
  // part that is not there.
  absl::Status Join(const std::vector<std::string>& parts, const std::string& digest,
                    const std::string& holder = "");

  // Saying yes is a promise that an upload may rely on: the holder holds the blob.
  absl::StatusOr<bool> Has(const std::string& digest, const std::string& holder = "");
  // The same of many, which may be asked for at the same time: those that are not there, in order.
  absl::StatusOr<std::vector<std::string>> MissingOf(const std::vector<std::string>& digests,
                                                     const std::string& holder);
  // The holder relies on these no longer: what names them is stored, or nothing ever will. Digests
  // that it does not hold stay as they are.
  virtual void Settle(const std::vector<std::string>& digests, const std::string& holder) = 0;
  // Whether the blobs can be reached: kUnavailable when their directory is not there, as one that
  // is not mounted, or their object storage does not answer.
  virtual absl::Status Probe() const = 0;
  // Size in bytes; kChunkMissing when it is not there.
  virtual absl::StatusOr<int64_t> Size(const std::string& digest) const = 0;
  // kChunkMissing when it is not there.
  absl::StatusOr<std::string> Read(const std::string& digest) const;
  // The blob as a file; for whoever maps it, as engines do. It may have to come from far away:
  // kCancelled soon after `cancelled` (may be null) says yes. kChunkMissing when it is not there.
  virtual absl::StatusOr<LocalBlob> Fetch(const std::string& digest,
                                          const std::function<bool()>& cancelled) const = 0;
  // The same of many, in their order; they may come at the same time.
  absl::StatusOr<std::vector<LocalBlob>> FetchAll(const std::vector<std::string>& digests,
                                                  const std::function<bool()>& cancelled) const;

  // Removes blobs that `in_use` denies and that nobody holds, and what unfinished writes left.
  // Returns what was removed. `in_use` is first asked when all candidates are known, so it may look
  // once at what is stored, then: what is held or settled by this process after that is spared.
  virtual absl::StatusOr<BlobCount> Sweep(
      const std::function<bool(const std::string& digest)>& in_use) = 0;

  // What is there, without unfinished writes and what was moved aside. Blobs of other processes
  // count late.
  virtual BlobCount Count() const = 0;

  // --- for checks of everything that is stored (storage_check.h): past every cache ---

  // The names of what lies where blobs whose digest begins with `shard` ("a7") do.
  virtual absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& shard) const = 0;
  struct State {
    int64_t bytes = 0;
    std::string version;  // another one when the blob has been written again
    bool held = false;    // whether an upload relies on it, as far as can be known
  };
  // kChunkMissing when it is not there.
  virtual absl::StatusOr<State> StateOf(const std::string& digest) const = 0;
  class Reader {
   public:
    virtual ~Reader() = default;
    // Empty at the end.
    virtual absl::StatusOr<absl::string_view> Next() = 0;
    // As in State.
    virtual std::string version() const = 0;
  };
  // Reads the bytes that are stored, right or not. kChunkMissing when it is not there.
  virtual absl::StatusOr<std::unique_ptr<Reader>> OpenStored(const std::string& digest) const = 0;
  // Takes a blob whose bytes are not its own out of the store, so that it is missing and an upload
  // can bring it again. It is kept beside the others, under corrupt/.
  virtual absl::Status MoveAside(const std::string& digest) = 0;

 protected:
  // `requests`: how many are answered at the same time, because each takes time and little else.
  explicit BlobStore(int requests) : requests_(requests) {}
  // The error for a blob that is not there.
  static absl::Status Missing(const std::string& digest);

 private:
  // Of well-formed arguments.
  virtual absl::StatusOr<std::unique_ptr<Writer>> NewWriter(const std::string& digest, int64_t size,
                                                            const std::string& holder) = 0;
  virtual absl::StatusOr<bool> HoldIfThere(const std::string& digest,
                                           const std::string& holder) = 0;
  // Hands a blob to `consume`, piece by piece. kChunkMissing when it is not there.
  virtual absl::Status ReadPieces(
      const std::string& digest,
      const std::function<absl::Status(absl::string_view piece)>& consume) const = 0;
  // Calls `do_one` with 0 to count - 1, several at a time; the first error, after which no more
  // are begun.
  absl::Status ForEach(size_t count, const std::function<absl::Status(size_t index)>& do_one) const;

  const int requests_;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_BLOB_STORE_H_
