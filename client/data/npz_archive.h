// NPZ: a zip archive of NPY arrays, where a member "images.npy" is the array "images".
#ifndef ASSAY_CLIENT_DATA_NPZ_ARCHIVE_H_
#define ASSAY_CLIENT_DATA_NPZ_ARCHIVE_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/data/byte_source.h"
#include "client/data/zip_archive.h"

namespace assay::client {

inline constexpr absl::string_view kZipMagic = "PK";

// "FILE.npz::MEMBER" names one array of an archive; `member` is empty for a plain path.
struct MemberPath {
  std::string path;
  std::string member;
};
// A file that exists under the whole name is that file.
MemberPath SplitMemberPath(const std::string& path);

class NpzArchive {
 public:
  static absl::StatusOr<NpzArchive> Open(ByteSource file);

  // The array that holds the images by its name: "images", "x", "data", "x_test", "test_images" or
  // "arr_0", in any case.
  absl::StatusOr<std::string> ImagesKey() const;
  // The array that holds the labels: the partner of the array `images` ("y" of "x"), otherwise any
  // that has such a name.
  absl::StatusOr<std::string> LabelsKey(absl::string_view images) const;
  // The bytes of an array, as an NPY file.
  absl::StatusOr<ByteSource> OpenArray(const std::string& key) const;

 private:
  explicit NpzArchive(ZipArchive zip) : zip_(std::move(zip)) {}
  // The array of that name in any case, or "".
  std::string Find(absl::string_view name) const;
  absl::Status NoArray(absl::string_view what) const;

  ZipArchive zip_;
};

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_NPZ_ARCHIVE_H_
