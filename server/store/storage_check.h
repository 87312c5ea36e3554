// Reads everything that is stored and says what is wrong with it: the database, every blob against
// its digest, every name of a blob against what is there.
//
// In short steps, so that whoever runs it can stop between them; in bounded memory: digests of the
// blobs that are named are read for some directories of blobs at a time. The store is in use
// meanwhile: what a look finds missing or orphaned is looked up again before it is said.
#ifndef ASSAY_SERVER_STORE_STORAGE_CHECK_H_
#define ASSAY_SERVER_STORE_STORAGE_CHECK_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/admin.pb.h"
#include "core/base/digest.h"
#include "server/store/blob_store.h"
#include "server/store/database_reader.h"

namespace assay::store {

// Not thread-safe.
class StorageCheck {
 public:
  // The store must outlive it. `sweep` removes orphans at the end of a check that repairs.
  StorageCheck(std::unique_ptr<DatabaseReader> database, BlobStore& blobs, bool repair,
               std::function<absl::StatusOr<BlobCount>()> sweep);
  ~StorageCheck();

  // Works for about a quarter of a second (SQLite's own check is one step, however long it takes),
  // or until there is something to say. False, without a message, after the summary.
  absl::StatusOr<bool> Next(v1::CheckStorageResponse* message);

  // Digests that are held in memory at a time. For tests.
  int64_t most_references = 200'000;
  // Called when some digests that are named have been read. For tests.
  std::function<void()> on_references = nullptr;

 private:
  using Finding = v1::CheckStorageResponse::Finding;
  enum class Phase { kDatabase, kBlobs, kSweep, kSummary, kEnd };
  struct OpenBlob;

  absl::Status Step();
  absl::Status CheckDatabase();
  // Reads the names for the next directories of blobs.
  absl::Status BeginGroup();
  absl::Status BeginShard();
  // A piece of the current file, or its end.
  absl::Status ReadPiece();
  // `version`: of the blob that was read; empty: it could not be opened.
  void EndFile(const std::string& digest, int64_t size, const std::string& version,
               const std::string& problem);
  absl::Status EndShard();
  absl::Status Say(Finding::Kind kind, const std::string& digest, int64_t size,
                   const std::string& text, bool repaired = false);
  v1::CheckStorageResponse ProgressNow() const;

  const std::unique_ptr<DatabaseReader> database_;
  BlobStore& blobs_;
  const bool repair_;
  const std::function<absl::StatusOr<BlobCount>()> sweep_;
  const std::chrono::steady_clock::time_point start_;
  Phase phase_ = Phase::kDatabase;
  bool said_phase_ = false;
  std::deque<v1::CheckStorageResponse> messages_;
  v1::CheckStorageResponse::Summary summary_;
  int64_t looked_up_ = 0;  // users of findings

  // Directories are 0 to 255; those from `shard_` to before `group_end_` are of this group.
  int shard_ = 0;
  int group_end_ = 0;
  int group_size_ = 0;
  std::vector<std::string> references_;  // sorted
  bool in_shard_ = false;
  std::vector<std::string> files_;
  size_t file_ = 0;
  std::unique_ptr<OpenBlob> open_;
  struct Corrupt {
    std::string digest;
    int64_t size;
    std::string version;
    std::string problem;
  };
  std::vector<Corrupt> corrupt_;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_STORAGE_CHECK_H_
