// A client of S3-compatible object storage: AWS, MinIO, Ceph. Signs by libcurl (Signature Version
// 4), addresses buckets by path, repeats what fails for the moment.
//
//   S3Client client(options, credentials);
//   ASSAY_RETURN_IF_ERROR(client.Put("blobs/hello", "hello"));
//
// Errors: kNotFound (no such object), kStorageFull, kCancelled, and kUnavailable for everything
// else: whoever runs the storage can mend that, and what waits goes on then. Texts name objects and
// what the storage said, not where it is; the log has that.
#ifndef ASSAY_SERVER_STORE_S3_CLIENT_H_
#define ASSAY_SERVER_STORE_S3_CLIENT_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/mutex.h"
#include "server/store/aws_credentials.h"

namespace assay::store {

// What s3://BUCKET/PREFIX names.
struct S3Location {
  std::string bucket;
  std::string prefix;  // without slashes at its ends; may be empty
};
// Whether it is to be one.
bool IsS3Uri(absl::string_view uri);
// kInvalidArgument with what would be right.
absl::StatusOr<S3Location> ParseS3Uri(absl::string_view uri);
// The endpoint of AWS in that region.
std::string AwsEndpoint(const std::string& region);
// kInvalidArgument with what would be right; empty is right.
absl::Status CheckS3Endpoint(absl::string_view endpoint);

struct S3Options {
  std::string endpoint;  // http[s]://HOST[:PORT]
  std::string region;
  std::string bucket;
  // Of one request: so many, the waits between them growing from the first one.
  int attempts = 6;
  double first_wait_seconds = 0.2;
  double connect_seconds = 10;
  // Without a byte for this long a transfer is given up.
  int stall_seconds = 30;
  // Objects that are larger are sent in parts of so many bytes (AWS: at least 5 MiB), or of more
  // where there would be too many.
  int64_t part_bytes = 32 << 20;
};

struct S3Object {
  std::string key;
  int64_t bytes = 0;
  std::string etag;
  // Since it was written, by the storage's own clock.
  int64_t age_seconds = 0;
};

struct S3Page {
  std::vector<S3Object> objects;  // by key
  bool more = false;
};

// What has gone on.
struct S3Traffic {
  struct Operation {
    const char* name = "";
    int64_t succeeded = 0, failed = 0;  // without those that were repeated
  };
  std::vector<Operation> operations;
  int64_t repeated = 0;
  int64_t sent_bytes = 0, received_bytes = 0;  // of objects
  bool answers = true;                         // as of the last request that ended
};

// Thread-safe.
class S3Client {
 public:
  using Cancelled = std::function<bool()>;

  S3Client(S3Options options, std::shared_ptr<AwsCredentials> credentials);
  ~S3Client();
  S3Client(const S3Client&) = delete;
  S3Client& operator=(const S3Client&) = delete;

  absl::Status Put(const std::string& key, absl::string_view bytes);
  // The file's first `size` bytes, whose SHA-256 the storage compares with `sha256`. It is there
  // when this has succeeded, and not in part.
  absl::Status PutFile(const std::string& key, int fd, int64_t size, const std::string& sha256);
  absl::StatusOr<S3Object> Head(const std::string& key);
  // Hands the object, from `offset` on, to `take`, piece by piece, `length` bytes or as many as
  // there are. Goes on where a connection breaks. An error of `take` ends it.
  absl::Status Get(const std::string& key, int64_t offset, std::optional<int64_t> length,
                   const std::function<absl::Status(absl::string_view)>& take,
                   const Cancelled& cancelled = nullptr);
  // Those whose keys begin with `prefix`, after the key `after`.
  absl::StatusOr<S3Page> List(const std::string& prefix, const std::string& after = "",
                              int most = 1000);
  // One that is not there is well deleted. `repeat`: whether to try again when it fails.
  absl::Status Delete(const std::string& key, bool repeat = true);
  absl::Status Copy(const std::string& from, const std::string& to);
  // Drops what uploads in parts have left that began longer ago.
  absl::Status DropUploads(const std::string& prefix, int64_t older_than_seconds);

  S3Traffic Traffic() const;

 private:
  enum Operation { kPut, kGet, kHead, kList, kDelete, kCopy, kOperations };
  struct Request;
  struct Response;
  class Handle;

  // Sends it until it is answered or there have been too many attempts.
  absl::Status Send(const Request& request, Response* response);
  // Once. `passing`: whether an error may be over in a moment.
  absl::Status SendOnce(const Request& request, const AwsKeys& keys, Response* response,
                        bool* passing);
  absl::Status Judge(const Request& request, const Response& response, bool* passing) const;
  void Count(Operation operation, const absl::Status& status);
  absl::Status PutInParts(const std::string& key, int fd, int64_t size);

  const S3Options options_;
  const std::shared_ptr<AwsCredentials> credentials_;
  struct Counters {
    std::atomic<int64_t> succeeded{0}, failed{0};
  };
  std::array<Counters, kOperations> counters_;
  std::atomic<int64_t> repeated_{0}, sent_{0}, received_{0};
  mutable Mutex mutex_;
  std::vector<void*> idle_ ABSL_GUARDED_BY(mutex_);  // handles of libcurl, with their connections
  bool answers_ ABSL_GUARDED_BY(mutex_) = true;
  std::chrono::steady_clock::time_point away_since_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_S3_CLIENT_H_
