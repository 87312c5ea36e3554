#include "client/data/folder_reader.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/data/byte_source.h"
#include "client/data/class_folders.h"
#include "client/data/image_file.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

struct Sample {
  std::string path;
  int32_t label = 0;
};

class FolderReader final : public ReaderBase {
 public:
  FolderReader(DatasetInfo info, std::vector<Sample> samples)
      : ReaderBase(std::move(info)), samples_(std::move(samples)) {}

  absl::Status ReadInto(int64_t first, int64_t count, int32_t* labels, char* pixels) override {
    const ImageFileInfo expected{shape().width(), shape().height(), shape().channels() == 1};
    for (int64_t i = 0; i < count; ++i) {
      const Sample& sample = samples_[static_cast<size_t>(first + i)];
      labels[i] = sample.label;
      ASSAY_RETURN_IF_ERROR(
          ReadImage(sample.path, expected, shape().channels(), pixels + i * image_bytes()));
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<Sample> samples_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ReaderBase>> OpenFolder(const std::string& path,
                                                       const OpenOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(ClassFolders folders, FindClassFolders(path, options));
  DatasetInfo info;
  info.notes = std::move(folders.notes);
  std::vector<Sample> samples;
  for (ClassFolder& folder : folders.classes) {
    const auto label = static_cast<int32_t>(info.class_names.size());
    info.class_names.push_back(std::move(folder.name));
    for (std::string& image : folder.images) samples.push_back({std::move(image), label});
  }
  ImageFileInfo first;
  bool all_gray = true;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (options.check) ASSAY_RETURN_IF_ERROR(options.check());
    ASSAY_ASSIGN_OR_RETURN(const ImageFileInfo image, ReadImageHeader(samples[i].path));
    if (i == 0) {
      first = image;
    } else if (image.width != first.width || image.height != first.height) {
      return Unreadable(
          samples[i].path,
          absl::StrCat("is ", image.width, "x", image.height, " pixels, but ", samples[0].path,
                       " is ", first.width, "x", first.height, "; bring all images to one size"));
    }
    all_gray = all_gray && image.gray;
  }
  ASSAY_ASSIGN_OR_RETURN(info.shape, CheckedShape(samples[0].path, all_gray ? 1 : 3, first.height,
                                                  first.width, v1::UINT8));
  info.size = static_cast<int64_t>(samples.size());
  return std::make_unique<FolderReader>(std::move(info), std::move(samples));
}

}  // namespace assay::client
