#include "server/api/blob_pieces.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::api {

BlobPieces::~BlobPieces() {
  if (fd_ >= 0) close(fd_);
}

BlobPieces::BlobPieces(BlobPieces&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

BlobPieces& BlobPieces::operator=(BlobPieces&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

absl::StatusOr<BlobPieces> BlobPieces::Open(const store::BlobStore& blobs,
                                            const std::string& digest) {
  BlobPieces pieces;
  ASSAY_ASSIGN_OR_RETURN(pieces.size_, blobs.Size(digest));
  // What is open stays readable, though a cache may drop the file.
  ASSAY_ASSIGN_OR_RETURN(const store::LocalBlob file, blobs.Fetch(digest, /*cancelled=*/nullptr));
  pieces.fd_ = open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
  if (pieces.fd_ >= 0) return pieces;
  return Error(Reason::kStorageFailed,
               absl::StrCat("blob ", digest, " cannot be opened: ", std::strerror(errno)));
}

absl::Status BlobPieces::Append(int64_t offset, int64_t bytes, std::string* to) const {
  size_t at = to->size();
  to->resize(at + static_cast<size_t>(bytes));
  while (at < to->size()) {
    const ssize_t count = pread(fd_, to->data() + at, to->size() - at, offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return Error(Reason::kStorageFailed,
                   absl::StrCat("a blob cannot be read: ",
                                count == 0 ? "it has become shorter" : std::strerror(errno)));
    }
    at += static_cast<size_t>(count);
    offset += count;
  }
  return absl::OkStatus();
}

}  // namespace assay::api
