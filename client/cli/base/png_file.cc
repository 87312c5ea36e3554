#include "client/cli/base/png_file.h"

#include <png.h>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::cli {

absl::Status WritePng(const std::string& path, const corruptions::Image& image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  if (png_image_write_to_file(&png, path.c_str(), 0, image.pixels.data(), 0, nullptr) != 0) {
    return absl::OkStatus();
  }
  return Error(Reason::kStorageFailed, absl::StrCat("cannot write ", path, ": ", png.message));
}

}  // namespace assay::cli
