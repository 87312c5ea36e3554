// The records of a zip archive as PyTorch writes it, stored without compression. Made for files
// that nobody vouches for: what a record says of itself is checked before memory is taken for it.
#ifndef ASSAY_CORE_MODELS_ZIP_ARCHIVE_H_
#define ASSAY_CORE_MODELS_ZIP_ARCHIVE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct zip;
struct zip_source;

namespace assay {

// Not thread-safe. Errors are kInvalidModel.
class ZipArchive {
 public:
  // The archive is the first `size` bytes of the file, or all of it.
  static absl::StatusOr<ZipArchive> Open(const std::string& path,
                                         std::optional<uint64_t> size = std::nullopt);
  // `bytes` is kept.
  static absl::StatusOr<ZipArchive> FromBytes(std::string bytes);

  // Of all records, in their order.
  const std::vector<std::string>& names() const { return names_; }
  bool Has(absl::string_view name) const;

  // The content of a record, its checksum checked. All reads together may not give more bytes than
  // the archive has: read a record once.
  absl::StatusOr<std::string> Read(const std::string& name);
  // The same into memory that `allocate` gives for that many bytes.
  absl::Status ReadInto(const std::string& name, const std::function<char*(size_t)>& allocate);

 private:
  struct Close {
    void operator()(zip* archive) const;
  };

  ZipArchive() = default;
  // Takes the source; null where it is no archive.
  static std::unique_ptr<zip, Close> OpenSource(zip_source* source);
  absl::Status ReadNames();

  std::unique_ptr<std::string> bytes_;  // outlives handle_; without, the archive is a file
  std::unique_ptr<zip, Close> handle_;
  std::vector<std::string> names_;
  uint64_t left_ = 0;  // bytes that may still be read
};

}  // namespace assay

#endif  // ASSAY_CORE_MODELS_ZIP_ARCHIVE_H_
