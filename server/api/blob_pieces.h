// A blob that is read in pieces, so that a stream whose reader is slow, or does not read at all,
// holds one message of it in memory and not all of it.
#ifndef ASSAY_SERVER_API_BLOB_PIECES_H_
#define ASSAY_SERVER_API_BLOB_PIECES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/blob_store.h"

namespace assay::api {

// Not thread-safe.
class BlobPieces {
 public:
  BlobPieces() = default;
  ~BlobPieces();
  BlobPieces(BlobPieces&& other) noexcept;
  BlobPieces& operator=(BlobPieces&& other) noexcept;

  // kChunkMissing when it is not there.
  static absl::StatusOr<BlobPieces> Open(const store::BlobStore& blobs, const std::string& digest);

  int64_t size() const { return size_; }
  // Appends the bytes from `offset` on, which must be there.
  absl::Status Append(int64_t offset, int64_t bytes, std::string* to) const;

 private:
  int fd_ = -1;
  int64_t size_ = 0;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_BLOB_PIECES_H_
