#include "client/data/idx_reader.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/data/byte_source.h"
#include "client/data/class_names.h"
#include "client/data/idx_format.h"
#include "client/data/labels.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

constexpr char kGzipSuffix[] = ".gz";

class IdxReader final : public ReaderBase {
 public:
  IdxReader(DatasetInfo info, IdxArray images, std::vector<int32_t> labels)
      : ReaderBase(std::move(info)), images_(std::move(images)), labels_(std::move(labels)) {}

  absl::Status ReadInto(int64_t first, int64_t count, int32_t* labels, char* pixels) override {
    std::copy_n(labels_.begin() + first, count, labels);
    return images_.source.ReadAt(images_.data_offset + first * image_bytes(), count * image_bytes(),
                                 pixels);
  }

 private:
  const IdxArray images_;
  const std::vector<int32_t> labels_;
};

absl::StatusOr<std::string> FindIdxLabels(const std::string& images) {
  const std::filesystem::path path(images);
  std::string name = path.filename().string();
  if (absl::EndsWith(name, kGzipSuffix)) name.resize(name.size() - 3);
  const std::string labels = absl::StrReplaceAll(name, {{"images", "labels"}, {"idx3", "idx1"}});
  if (labels == name) {
    return Unreadable(images,
                      "its name does not tell where its labels are (X-images-idx3-ubyte "
                      "has X-labels-idx1-ubyte); give them with --labels");
  }
  const std::string base = (path.parent_path() / labels).string();
  return FindLabelFile(images, {base, absl::StrCat(base, kGzipSuffix)});
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReaderBase>> OpenIdx(const std::string& path,
                                                    const OpenOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(const ByteSource source, ByteSource::Open(path));
  ASSAY_ASSIGN_OR_RETURN(IdxArray images, OpenIdxArray(source));
  if (images.shape.size() != 3) {
    return Unreadable(
        path, absl::StrCat("holds an array of ", images.shape.size(),
                           " dimensions, but images have three (idx3-ubyte)",
                           images.shape.size() == 1 ? "; these are labels: give them with --labels"
                                                    : "; save it as NPY"));
  }
  DatasetInfo info;
  ASSAY_ASSIGN_OR_RETURN(info.shape,
                         CheckedShape(path, 1, images.shape[1], images.shape[2], v1::UINT8));
  info.size = images.shape[0];
  std::string labels_file = options.labels_path;
  if (labels_file.empty()) {
    ASSAY_ASSIGN_OR_RETURN(labels_file, FindIdxLabels(path));
  }
  ASSAY_ASSIGN_OR_RETURN(std::vector<int32_t> labels, LoadLabels(labels_file, info.size));
  ASSAY_ASSIGN_OR_RETURN(info.class_names, FindClassNames(path, options.classes_path, labels));
  return std::make_unique<IdxReader>(std::move(info), std::move(images), std::move(labels));
}

}  // namespace assay::client
