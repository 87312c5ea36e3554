// JPEG compression: encoded and decoded in memory.
#include "core/corruptions/jpeg_codec.h"

// clang-format off
#include <cstdio>  // jpeglib.h needs it before itself
#include <jpeglib.h>
// clang-format on

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/corruptions/tables.h"

namespace assay::corruptions {
namespace {

// libjpeg reports errors here and must not return. With images within its limits and bytes that can
// be trusted, only exhausted memory leads here: the process ends, as at any other failed
// allocation.
[[noreturn]] void Die(j_common_ptr info) {
  info->err->output_message(info);
  std::abort();
}

}  // namespace

std::string EncodeJpeg(const Image& image, int quality) {
  jpeg_compress_struct encoder;
  jpeg_error_mgr errors;
  encoder.err = jpeg_std_error(&errors);
  errors.error_exit = Die;
  jpeg_create_compress(&encoder);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's type
  jpeg_mem_dest(&encoder, &bytes, &size);
  encoder.image_width = static_cast<JDIMENSION>(image.width);
  encoder.image_height = static_cast<JDIMENSION>(image.height);
  encoder.input_components = image.channels;
  encoder.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, quality, TRUE);
  jpeg_start_compress(&encoder, TRUE);
  const auto stride = static_cast<size_t>(image.width) * static_cast<size_t>(image.channels);
  while (encoder.next_scanline < encoder.image_height) {
    auto* row = const_cast<JSAMPLE*>(image.pixels.data() + encoder.next_scanline * stride);
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  std::string encoded(reinterpret_cast<const char*>(bytes), size);
  std::free(bytes);
  return encoded;
}

Image DecodeJpeg(absl::string_view bytes) {
  jpeg_decompress_struct decoder;
  jpeg_error_mgr errors;
  decoder.err = jpeg_std_error(&errors);
  errors.error_exit = Die;
  jpeg_create_decompress(&decoder);
  jpeg_mem_src(&decoder, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&decoder, TRUE);
  jpeg_start_decompress(&decoder);
  Image image{static_cast<int>(decoder.output_height),
              static_cast<int>(decoder.output_width),
              decoder.output_components,
              {}};
  const auto stride = static_cast<size_t>(image.width) * static_cast<size_t>(image.channels);
  image.pixels.resize(static_cast<size_t>(image.height) * stride);
  while (decoder.output_scanline < decoder.output_height) {
    JSAMPLE* row = image.pixels.data() + decoder.output_scanline * stride;
    jpeg_read_scanlines(&decoder, &row, 1);
  }
  jpeg_finish_decompress(&decoder);
  jpeg_destroy_decompress(&decoder);
  return image;
}

absl::StatusOr<Step> JpegCompression(Params& params, const Setting& setting) {
  if (std::max(setting.shape.height(), setting.shape.width()) > kMaxJpegSide) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat(params.condition().id(), " needs sides of at most ", kMaxJpegSide,
                              " pixels, the limit of JPEG"))
        .ToStatus();
  }
  return BySeverity(
      [](const CorruptionContext& context, RandomStream&, Image& image) {
        image = DecodeJpeg(EncodeJpeg(image, Select(kJpegQuality, context)));
      },
      params, setting);
}

}  // namespace assay::corruptions
