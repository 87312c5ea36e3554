// The directory of a zip archive (zip64 too) and its members, stored or deflated: what NPZ needs,
// and no more. Stored members are read in place; deflated ones are decompressed to a temporary file
// (inflate.h).
//
// Format: PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3.
#ifndef ASSAY_CLIENT_DATA_ZIP_ARCHIVE_H_
#define ASSAY_CLIENT_DATA_ZIP_ARCHIVE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/data/byte_source.h"

namespace assay::client {

class ZipArchive {
 public:
  // Reads the directory. kUnreadableInput for anything that is not a whole, single-disk archive.
  static absl::StatusOr<ZipArchive> Open(ByteSource file);

  const std::string& name() const { return file_.name(); }
  // In the order of the directory. Folders are left out, and what ignored_names.h names.
  std::vector<std::string> MemberNames() const;
  bool Has(const std::string& member) const;
  // The bytes of a member under the name "ARCHIVE::MEMBER". The checksum of a stored member is not
  // verified, because that would mean to read all of it.
  absl::StatusOr<ByteSource> OpenMember(const std::string& member) const;

 private:
  struct Member {
    std::string name;
    uint16_t flags = 0;
    uint16_t method = 0;
    uint32_t crc = 0;
    int64_t compressed_size = 0;
    int64_t size = 0;
    int64_t header_offset = 0;
  };

  explicit ZipArchive(ByteSource file) : file_(std::move(file)) {}
  absl::Status ReadDirectory(int64_t offset, int64_t size, uint64_t members);
  const Member* Find(const std::string& name) const;

  ByteSource file_;
  std::vector<Member> members_;
};

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_ZIP_ARCHIVE_H_
