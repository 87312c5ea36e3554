// JPEG compression: encoded and decoded in memory with libjpeg's defaults, which are also Pillow's:
// 4:2:0 chroma, the slow integer transform, standard Huffman tables, smooth ("fancy") chroma
// upsampling.
// clang-format off
#include <cstdio>  // jpeglib.h needs it before itself
#include <jpeglib.h>
// clang-format on

#include <cstddef>
#include <cstdlib>
#include <memory>

#include "server/engine/corruptions/methods.h"
#include "server/engine/corruptions/tables.h"

namespace assay::engine {
namespace {

// libjpeg reports errors here and must not return. With pixels and parameters of our own making,
// only an image side over 65,500 or exhausted memory can lead here: the engine ends, and its
// evaluation fails with the message.
[[noreturn]] void Die(j_common_ptr info) {
  info->err->output_message(info);
  std::abort();
}

struct FreeBytes {
  void operator()(unsigned char* bytes) const { std::free(bytes); }
};

struct EncodedJpeg {
  std::unique_ptr<unsigned char, FreeBytes> bytes;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's type
};

EncodedJpeg Encode(const Image& image, int quality) {
  jpeg_compress_struct encoder;
  jpeg_error_mgr errors;
  encoder.err = jpeg_std_error(&errors);
  errors.error_exit = Die;
  jpeg_create_compress(&encoder);
  unsigned char* bytes = nullptr;
  EncodedJpeg encoded;
  jpeg_mem_dest(&encoder, &bytes, &encoded.size);
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
  encoded.bytes.reset(bytes);
  return encoded;
}

void Decode(const EncodedJpeg& encoded, Image& image) {
  jpeg_decompress_struct decoder;
  jpeg_error_mgr errors;
  decoder.err = jpeg_std_error(&errors);
  errors.error_exit = Die;
  jpeg_create_decompress(&decoder);
  jpeg_mem_src(&decoder, encoded.bytes.get(), encoded.size);
  jpeg_read_header(&decoder, TRUE);
  jpeg_start_decompress(&decoder);
  const auto stride = static_cast<size_t>(image.width) * static_cast<size_t>(image.channels);
  while (decoder.output_scanline < decoder.output_height) {
    JSAMPLE* row = image.pixels.data() + decoder.output_scanline * stride;
    jpeg_read_scanlines(&decoder, &row, 1);
  }
  jpeg_finish_decompress(&decoder);
  jpeg_destroy_decompress(&decoder);
}

}  // namespace

void JpegCompression(const CorruptionContext& context, RandomStream&, Image& image) {
  Decode(Encode(image, Select(kJpegQuality, context)), image);
}

}  // namespace assay::engine
