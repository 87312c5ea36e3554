// Takes the file of a version into the blob store, so that what is evaluated stays whatever becomes
// of the directory.
#ifndef ASSAY_SERVER_REPOSITORY_IMPORT_MODEL_H_
#define ASSAY_SERVER_REPOSITORY_IMPORT_MODEL_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "server/repository/file_tree.h"
#include "server/repository/scanner.h"
#include "server/store/blob_store.h"

namespace assay::repository {

// The file of a version as it was when it was found: kUnavailable where it has changed since,
// or changes while it is read. Nothing of it is run.
class ModelSource {
 public:
  // Open for as long as this lives.
  static absl::StatusOr<ModelSource> Open(const FileTree& tree, const FoundVersion& version);

  // Whether it is a model at all; kInvalidModel says what it is instead. With `trailer`, what its
  // assay.yaml becomes, it must not have an interface of its own.
  absl::Status Check(const std::string& trailer) const;
  // Of the file and the trailer. kCancelled soon after `cancelled` says yes; Store, too.
  absl::StatusOr<std::string> Digest(const std::string& trailer,
                                     const std::function<bool()>& cancelled) const;
  // Makes the blob of that digest, which `holder` holds.
  absl::Status Store(const std::string& trailer, const std::string& digest, store::BlobStore& blobs,
                     const std::string& holder, const std::function<bool()>& cancelled) const;
  int64_t size() const { return stamp_.size; }

 private:
  ModelSource(std::unique_ptr<OpenedFile> file, std::string path, const FileStamp& stamp)
      : file_(std::move(file)), path_(std::move(path)), stamp_(stamp) {}
  // Gives all bytes to `take`, the trailer's last.
  absl::Status ReadAll(const std::string& trailer, const std::function<bool()>& cancelled,
                       const std::function<absl::Status(absl::string_view)>& take) const;

  std::unique_ptr<OpenedFile> file_;
  std::string path_;
  FileStamp stamp_;
};

}  // namespace assay::repository

#endif  // ASSAY_SERVER_REPOSITORY_IMPORT_MODEL_H_
