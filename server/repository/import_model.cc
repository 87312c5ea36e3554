#include "server/repository/import_model.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/models/file_format.h"
#include "core/models/model_file.h"

namespace assay::repository {
namespace {

constexpr size_t kPieceBytes = 4 << 20;
// As of an upload: 100,000 chunks of 4 MiB.
constexpr int64_t kMostBytes = int64_t{100'000} * (4 << 20);

absl::Status Changed(const std::string& path) {
  return Error(Reason::kUnavailable, absl::StrCat(path, " has changed while it was read"));
}

}  // namespace

absl::StatusOr<ModelSource> ModelSource::Open(const FileTree& tree, const FoundVersion& version) {
  ASSAY_ASSIGN_OR_RETURN(std::unique_ptr<OpenedFile> file, tree.Open(version.file));
  ASSAY_ASSIGN_OR_RETURN(const FileStamp stamp, file->Stamp());
  if (stamp != version.stamp) return Changed(version.file);
  if (stamp.size > kMostBytes) {
    return Error(Reason::kTooLarge, absl::StrCat(version.file, " has ", stamp.size,
                                                 " bytes; at most ", kMostBytes, " are taken"))
        .ToStatus();
  }
  return ModelSource(std::move(file), version.file, stamp);
}

absl::Status ModelSource::Check(const std::string& trailer) const {
  ASSAY_ASSIGN_OR_RETURN(const ModelFile file, ReadModelFile(file_->path()));
  const FileExplanation found = ExplainFile(file_->path(), static_cast<uint64_t>(file.model_bytes));
  if (found.format == FileFormat::kOther) {
    return Error(Reason::kInvalidModel,
                 absl::StrCat("the file is not a model that can be loaded: ", found.message));
  }
  if (!trailer.empty() && file.model_bytes != stamp_.size) {
    return Error(Reason::kInvalidModel,
                 "the file says at its end already how the model wants its images, and so does "
                 "assay.yaml; leave one of them");
  }
  return absl::OkStatus();
}

absl::Status ModelSource::ReadAll(
    const std::string& trailer, const std::function<bool()>& cancelled,
    const std::function<absl::Status(absl::string_view)>& take) const {
  for (int64_t offset = 0; offset < stamp_.size;) {
    if (cancelled()) return Error(Reason::kCancelled, "the server is stopping");
    const auto size = static_cast<size_t>(
        std::min<int64_t>(static_cast<int64_t>(kPieceBytes), stamp_.size - offset));
    ASSAY_ASSIGN_OR_RETURN(const std::string bytes, file_->Read(offset, size));
    if (bytes.size() < size) return Changed(path_);
    ASSAY_RETURN_IF_ERROR(take(bytes));
    offset += static_cast<int64_t>(size);
  }
  ASSAY_ASSIGN_OR_RETURN(const FileStamp now, file_->Stamp());
  // A rename meanwhile changes nothing of the bytes.
  if (now.size != stamp_.size || now.modified_nanos != stamp_.modified_nanos) {
    return Changed(path_);
  }
  return trailer.empty() ? absl::OkStatus() : take(trailer);
}

absl::StatusOr<std::string> ModelSource::Digest(const std::string& trailer,
                                                const std::function<bool()>& cancelled) const {
  Sha256 digest;
  ASSAY_RETURN_IF_ERROR(ReadAll(trailer, cancelled, [&](absl::string_view bytes) {
    digest.Update(bytes);
    return absl::OkStatus();
  }));
  return digest.HexDigest();
}

absl::Status ModelSource::Store(const std::string& trailer, const std::string& digest,
                                store::BlobStore& blobs, const std::string& holder,
                                const std::function<bool()>& cancelled) const {
  ASSAY_ASSIGN_OR_RETURN(const bool there, blobs.Has(digest, holder));
  if (there) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(
      const auto writer,
      blobs.Create(digest, stamp_.size + static_cast<int64_t>(trailer.size()), holder));
  ASSAY_RETURN_IF_ERROR(
      ReadAll(trailer, cancelled, [&](absl::string_view bytes) { return writer->Append(bytes); }));
  return writer->Commit();
}

}  // namespace assay::repository
