#include "client/data/folder_reader.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/data/byte_source.h"
#include "client/data/class_names.h"
#include "client/data/image_file.h"
#include "common/errors.h"

namespace assay::client {
namespace {

namespace fs = std::filesystem;

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

bool IsHidden(const fs::path& path) {
  const std::string name = path.filename().string();
  return !name.empty() && name[0] == '.';
}

bool HasExtension(const fs::path& path, std::initializer_list<const char*> extensions) {
  const std::string extension = absl::AsciiStrToLower(path.extension().string());
  return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

absl::Status CannotList(const fs::path& path, const std::error_code& error) {
  return Unreadable(path.string(), absl::StrCat("cannot be listed: ", error.message()));
}

// The names of the folders in `root`, sorted.
absl::StatusOr<std::vector<std::string>> ListClasses(const std::string& root) {
  std::error_code error;
  std::vector<std::string> classes, binaries;
  fs::directory_iterator entries(root, error);
  for (const fs::directory_iterator end; !error && entries != end; entries.increment(error)) {
    const fs::path& path = entries->path();
    std::error_code ignored;
    if (IsHidden(path)) continue;
    if (entries->is_directory(ignored)) {
      classes.push_back(path.filename().string());
    } else if (HasExtension(path, {".bin", ".gz", ".npy", ".npz"})) {
      binaries.push_back(path.filename().string());
    }
  }
  if (error) return CannotList(root, error);
  std::sort(classes.begin(), classes.end());
  std::sort(binaries.begin(), binaries.end());
  if (classes.empty()) {
    return Unreadable(root, absl::StrCat("has no class folders (one folder for each class, with "
                                         "its PNG and JPEG files)",
                                         binaries.empty() ? "" : "; name the file itself, such as ",
                                         binaries.empty() ? "" : binaries[0]));
  }
  for (const std::string& name : classes) {
    if (!IsUtf8(name)) {
      return Unreadable(root, absl::StrCat("the class folder ", absl::CHexEscape(name),
                                           " has a name that is not UTF-8; rename it"));
    }
  }
  return classes;
}

// The images below `folder`, sorted.
absl::StatusOr<std::vector<std::string>> ListImages(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> images;
  fs::recursive_directory_iterator entries(folder, error);
  for (const fs::recursive_directory_iterator end; !error && entries != end;
       entries.increment(error)) {
    const fs::path& path = entries->path();
    std::error_code ignored;
    if (IsHidden(path)) {
      entries.disable_recursion_pending();
    } else if (entries->is_directory(ignored)) {
      continue;
    } else if (HasExtension(path, {".png", ".jpg", ".jpeg"})) {
      images.push_back(path.string());
    } else if (HasExtension(path, {".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
                                   ".avif", ".heic", ".jp2", ".jxl", ".npy"})) {
      return Unreadable(path.string(), "is an image that is not read; convert it to PNG or JPEG");
    }
  }
  if (error) return CannotList(folder, error);
  std::sort(images.begin(), images.end());
  return images;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReaderBase>> OpenFolder(const std::string& path) {
  DatasetInfo info;
  ASSAY_ASSIGN_OR_RETURN(info.class_names, ListClasses(path));
  std::vector<Sample> samples;
  for (size_t label = 0; label < info.class_names.size(); ++label) {
    ASSAY_ASSIGN_OR_RETURN(std::vector<std::string> images,
                           ListImages(fs::path(path) / info.class_names[label]));
    for (std::string& image : images) {
      samples.push_back({std::move(image), static_cast<int32_t>(label)});
    }
  }
  if (samples.empty()) {
    return Unreadable(path, "has no PNG or JPEG files in its class folders");
  }
  ImageFileInfo first;
  bool all_gray = true;
  for (size_t i = 0; i < samples.size(); ++i) {
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
