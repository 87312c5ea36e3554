#include "core/corruptions/frost_photographs.h"

// clang-format off
#include <cstdio>  // jpeglib.h needs it before itself
// clang-format on
#include <png.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/match.h"
#include "core/base/errors.h"
#include "core/corruptions/frost_files.h"
#include "core/corruptions/jpeg_codec.h"
#include "opencv2/imgproc.hpp"

namespace assay::corruptions {
namespace {

constexpr std::array<double, 4> kScale = {0.2, 0.3, 1, 1};

struct PngBytes {
  const std::string& bytes;
  size_t read = 0;
};

void ReadPngBytes(png_structp png, png_bytep out, size_t count) {
  auto* const in = static_cast<PngBytes*>(png_get_io_ptr(png));
  if (count > in->bytes.size() - in->read) png_error(png, "ends too early");
  std::copy_n(in->bytes.begin() + static_cast<std::ptrdiff_t>(in->read), count, out);
  in->read += count;
}

// The stored values, as OpenCV reads them: alpha dropped, gamma ignored. The digest has vouched for
// the bytes, so an error here is one of memory, and ends the process as the allocation itself
// would.
Image DecodePng(const std::string& bytes) {
  PngBytes in{bytes};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_read_fn(png, &in, ReadPngBytes);
  png_read_png(png, info, PNG_TRANSFORM_STRIP_ALPHA | PNG_TRANSFORM_EXPAND, nullptr);
  Image image{static_cast<int>(png_get_image_height(png, info)),
              static_cast<int>(png_get_image_width(png, info)),
              3,
              {}};
  const size_t row = size_t{3} * png_get_image_width(png, info);
  const png_bytepp rows = png_get_rows(png, info);
  for (int y = 0; y < image.height; ++y) {
    image.pixels.insert(image.pixels.end(), rows[y], rows[y] + row);
  }
  png_destroy_read_struct(&png, &info, nullptr);
  return image;
}

Image Scaled(const Image& photograph, double scale) {
  if (scale == 1) return photograph;
  const cv::Mat from(photograph.height, photograph.width, CV_8UC3,
                     const_cast<uint8_t*>(photograph.pixels.data()));
  cv::Mat to;
  cv::resize(from, to, cv::Size(), scale, scale, cv::INTER_LINEAR);
  return {to.rows, to.cols, 3, std::vector<uint8_t>(to.datastart, to.dataend)};
}

}  // namespace

absl::StatusOr<std::shared_ptr<const FrostPhotographs>> FrostPhotographs::Load(
    const std::string& directory) {
  ASSAY_ASSIGN_OR_RETURN(const auto files, ReadFrostFiles(directory));
  auto photographs = std::make_shared<FrostPhotographs>();
  for (size_t i = 0; i < kCount; ++i) {
    const Image image =
        absl::EndsWith(kFrostFiles[i], ".png") ? DecodePng(files[i]) : DecodeJpeg(files[i]);
    for (size_t table = 0; table < kScale.size(); ++table) {
      photographs->scaled_[table][i] = Scaled(image, kScale[table]);
    }
  }
  return photographs;
}

}  // namespace assay::corruptions
