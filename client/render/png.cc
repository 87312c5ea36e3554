#include "client/render/png.h"

#include <png.h>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::render {

absl::StatusOr<std::string> EncodePng(const Picture& picture) {
  const auto expected = int64_t{picture.height} * picture.width * picture.channels;
  if ((picture.channels != 1 && picture.channels != 3) || expected <= 0 ||
      static_cast<int64_t>(picture.pixels.size()) != expected) {
    return Error(Reason::kInternal,
                 absl::StrCat("a picture of ", picture.height, " x ", picture.width, " x ",
                              picture.channels, " has ", picture.pixels.size(), " values"));
  }
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(picture.width);
  png.height = static_cast<png_uint_32>(picture.height);
  png.format = picture.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&png, bytes.data(), &size, 0, picture.pixels.data(), 0, nullptr) ==
      0) {
    return Error(Reason::kInternal, absl::StrCat("cannot write a PNG: ", png.message));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace assay::render
