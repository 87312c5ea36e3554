// Blobs in S3-compatible object storage, with a cache on this machine.
//
// Layout, below the prefix: <first two digits>/<digest>, as in a directory of blobs, so one can be
// copied into the other. corrupt/ has what was moved aside, holds/<digest> tells of holds, and
// sweeping/<digest>.<number> says that somebody is about to remove a blob.
//
// Any number of processes use it at the same time, so, as in a directory that is shared, nobody's
// hold ends before its time. How old a hold is says the storage's own clock: it is the younger of
// the blob and its object in holds/, which is made anew by Has when both are older than
// kHoldSeconds; what is older than twice that is held by nobody.
//
// Removing is not one step with looking, and there are no locks. So who removes says so first,
// looks again, and then has kSweepSeconds; who brings or holds does that first, and then waits
// until nobody says that he is about to remove the blob. Whichever order these come in, one of the
// two sees the other.
#ifndef ASSAY_SERVER_STORE_S3_BLOBS_H_
#define ASSAY_SERVER_STORE_S3_BLOBS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "server/store/blob_cache.h"
#include "server/store/blob_store.h"
#include "server/store/s3_client.h"

namespace assay::store {

struct S3BlobsOptions {
  S3Options s3;  // its bucket is that of the location
  S3Location location;
  std::string cache_directory;
  int64_t cache_bytes = 0;
  // How long somebody who says that he removes a blob may take for it. Alike in all processes.
  int64_t sweep_seconds = 120;
};

class S3Blobs final : public BlobStore {
 public:
  // Asks the storage once whether it can be written to and listed: kUnavailable with what it says.
  // As BlobCache::Open; kInvalidArgument without credentials.
  static absl::StatusOr<std::unique_ptr<S3Blobs>> Open(S3BlobsOptions options,
                                                       std::shared_ptr<AwsCredentials> credentials);

  // Holds end with their time alone.
  void Settle(const std::vector<std::string>& digests, const std::string& holder) override;
  // Asks only when the last request failed.
  absl::Status Probe() const override;
  absl::StatusOr<int64_t> Size(const std::string& digest) const override;
  // kStorageFailed when the storage has other bytes than the blob's.
  absl::StatusOr<LocalBlob> Fetch(const std::string& digest,
                                  const std::function<bool()>& cancelled) const override;
  absl::StatusOr<BlobCount> Sweep(
      const std::function<bool(const std::string& digest)>& in_use) override;
  // As of the last Sweep, with what this process has brought since; 0 before the first.
  BlobCount Count() const override;
  absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& shard) const override;
  absl::StatusOr<State> StateOf(const std::string& digest) const override;
  absl::StatusOr<std::unique_ptr<Reader>> OpenStored(const std::string& digest) const override;
  absl::Status MoveAside(const std::string& digest) override;

  S3Traffic Traffic() const { return client_.Traffic(); }
  BlobCacheCounts CacheCounts() const { return cache_->Counts(); }

 private:
  class S3Writer;
  class S3Reader;

  S3Blobs(S3BlobsOptions options, std::shared_ptr<AwsCredentials> credentials,
          std::unique_ptr<BlobCache> cache);
  absl::StatusOr<std::unique_ptr<Writer>> NewWriter(const std::string& digest, int64_t size,
                                                    const std::string& holder) override;
  absl::StatusOr<bool> HoldIfThere(const std::string& digest, const std::string& holder) override;
  absl::Status ReadPieces(
      const std::string& digest,
      const std::function<absl::Status(absl::string_view piece)>& consume) const override;

  std::string Key(absl::string_view name) const;
  std::string BlobKey(const std::string& digest) const;
  std::string HoldKey(const std::string& digest) const;
  // What lies there, or nullopt.
  absl::StatusOr<std::optional<S3Object>> Look(const std::string& key) const;
  absl::Status Download(const std::string& digest, const std::string& path,
                        const std::function<bool()>& cancelled) const;
  // Stores a file that is made. Whatever others are about to remove, it is there afterwards.
  absl::Status Upload(const std::string& digest, int fd, int64_t size);
  // Waits until nobody says that he is about to remove the blob. Whether somebody did.
  absl::StatusOr<bool> WaitForSweeps(const std::string& digest) const;
  // Whether it was removed: nobody has held it meanwhile.
  absl::StatusOr<bool> Remove(const std::string& digest);

  const S3BlobsOptions options_;
  mutable S3Client client_;
  const std::unique_ptr<BlobCache> cache_;
  Mutex sweep_mutex_;  // one sweep at a time
  mutable Mutex mutex_;
  BlobCount count_ ABSL_GUARDED_BY(mutex_);
  BlobCount brought_ ABSL_GUARDED_BY(mutex_);  // since the last sweep began
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_S3_BLOBS_H_
