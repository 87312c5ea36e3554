#include "server/store/blob_store.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/mutex.h"

namespace assay::store {

absl::Status BlobStore::Missing(const std::string& digest) {
  return Error(Reason::kChunkMissing, absl::StrCat("chunk ", digest, " has not been uploaded"))
      .With("digest", digest)
      .ToStatus();
}

absl::Status BlobStore::Writer::Append(absl::string_view bytes) {
  if (ended_) return Error(Reason::kInternal, "Append after Commit");
  if (!failure_.ok()) return failure_;
  if (static_cast<int64_t>(bytes.size()) > remaining_bytes()) {
    failure_ = Error(Reason::kTooLarge, absl::StrCat("chunk ", digest_, " was announced with ",
                                                     size_, " bytes, but more arrived"))
                   .With("digest", digest_)
                   .ToStatus();
    return failure_;
  }
  hash_.Update(bytes);
  written_ += static_cast<int64_t>(bytes.size());
  failure_ = Write(bytes);
  return failure_;
}

absl::Status BlobStore::Writer::Commit() {
  if (ended_) return Error(Reason::kInternal, "Commit after Commit");
  ended_ = true;
  absl::Status status = failure_;
  if (status.ok() && remaining_bytes() > 0) {
    status = Error(Reason::kUploadIncomplete, absl::StrCat("chunk ", digest_, " ended after ",
                                                           written_, " of ", size_, " bytes"))
                 .With("digest", digest_)
                 .ToStatus();
  }
  if (status.ok()) {
    const std::string actual = hash_.HexDigest();
    if (actual != digest_) {
      status = Error(Reason::kDigestMismatch,
                     absl::StrCat("the bytes announced as ", digest_, " have the digest ", actual))
                   .With("digest", digest_)
                   .With("actual", actual)
                   .ToStatus();
    }
  }
  if (status.ok()) status = Finish();
  // Whatever happened, this writer is done.
  Drop();
  return status;
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
  return NewWriter(digest, size, holder);
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
    ASSAY_RETURN_IF_ERROR(
        ReadPieces(part, [&](absl::string_view piece) { return writer->Append(piece); }));
  }
  return writer->Commit();
}

absl::StatusOr<bool> BlobStore::Has(const std::string& digest, const std::string& holder) {
  if (!IsDigest(digest)) return false;
  return HoldIfThere(digest, holder);
}

absl::Status BlobStore::ForEach(size_t count,
                                const std::function<absl::Status(size_t index)>& do_one) const {
  std::atomic<size_t> next{0};
  Mutex mutex;
  absl::Status failure;
  const auto work = [&] {
    for (size_t index = next++; index < count; index = next++) {
      const absl::Status status = do_one(index);
      if (status.ok()) continue;
      next = count;
      MutexLock lock(mutex);
      if (failure.ok()) failure = status;
    }
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < std::min(count, static_cast<size_t>(requests_)); ++i) {
    others.emplace_back(work);
  }
  work();
  for (std::thread& other : others) other.join();
  return failure;
}

absl::StatusOr<std::vector<std::string>> BlobStore::MissingOf(
    const std::vector<std::string>& digests, const std::string& holder) {
  // Not a vector of bool, whose elements share bytes.
  std::vector<char> there(digests.size(), 0);
  ASSAY_RETURN_IF_ERROR(ForEach(digests.size(), [&](size_t index) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(const bool has, Has(digests[index], holder));
    there[index] = has ? 1 : 0;
    return absl::OkStatus();
  }));
  std::vector<std::string> missing;
  for (size_t i = 0; i < digests.size(); ++i) {
    if (there[i] == 0) missing.push_back(digests[i]);
  }
  return missing;
}

absl::StatusOr<std::vector<LocalBlob>> BlobStore::FetchAll(
    const std::vector<std::string>& digests, const std::function<bool()>& cancelled) const {
  std::vector<std::optional<LocalBlob>> fetched(digests.size());
  ASSAY_RETURN_IF_ERROR(ForEach(digests.size(), [&](size_t index) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(fetched[index], Fetch(digests[index], cancelled));
    return absl::OkStatus();
  }));
  std::vector<LocalBlob> blobs;
  for (std::optional<LocalBlob>& blob : fetched) blobs.push_back(*std::move(blob));
  return blobs;
}

absl::StatusOr<std::string> BlobStore::Read(const std::string& digest) const {
  if (!IsDigest(digest)) return Missing(digest);
  std::string bytes;
  ASSAY_RETURN_IF_ERROR(ReadPieces(digest, [&](absl::string_view piece) {
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  }));
  return bytes;
}

}  // namespace assay::store
