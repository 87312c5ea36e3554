#include "client/data/image_file.h"

#include <unistd.h>

#include <cerrno>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

// jpeglib.h needs stdio.h before it.
#include <jpeglib.h>
// The codes of jpeglib's warnings, after it.
#include <jerror.h>
#include <png.h>

#include "absl/strings/str_cat.h"
#include "client/data/byte_source.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

constexpr size_t kMagicBytes = 8;
constexpr size_t kErrorBytes = JMSG_LENGTH_MAX;

// One image being decoded. libpng and libjpeg report errors by longjmp, so the methods of the
// implementations that call them hold nothing that has a destructor, and everything that they
// change lives in the object.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Fills width, height and channels (1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha). False with
  // error() otherwise.
  virtual bool ReadHeader(std::FILE* file) = 0;
  // Fills `rows`, one pointer for each row of width * channels bytes. False with error() otherwise.
  virtual bool ReadRows(unsigned char** rows) = 0;

  int width() const { return width_; }
  int height() const { return height_; }
  int channels() const { return channels_; }
  const char* error() const { return error_; }

 protected:
  bool Refuse(const char* text) {
    std::snprintf(error_, sizeof(error_), "%s", text);
    return false;
  }

  int width_ = 0;
  int height_ = 0;
  int channels_ = 0;
  char error_[kErrorBytes] = "";
};

class PngDecoder final : public Decoder {
 public:
  PngDecoder() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, OnError, OnWarning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  ~PngDecoder() override { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  bool ReadHeader(std::FILE* file) override {
    if (info_ == nullptr) return Refuse("libpng did not start");
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_init_io(png_, file);
    png_read_info(png_, info_);
    if (png_get_bit_depth(png_, info_) > 8) {
      return Refuse("has 16 bits a channel; convert it to 8");
    }
    width_ = static_cast<int>(png_get_image_width(png_, info_));
    height_ = static_cast<int>(png_get_image_height(png_, info_));
    // Palettes to RGB, 1 to 4 bits to 8, transparent colours to alpha.
    png_set_expand(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    channels_ = png_get_channels(png_, info_);
    return true;
  }

  bool ReadRows(unsigned char** rows) override {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_image(png_, rows);
    // Verifies the checksum of the last data.
    png_read_end(png_, nullptr);
    return true;
  }

 private:
  static void OnError(png_structp png, png_const_charp text) {
    static_cast<PngDecoder*>(png_get_error_ptr(png))->Refuse(text);
    png_longjmp(png, 1);
  }
  static void OnWarning(png_structp, png_const_charp) {}

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

class JpegDecoder final : public Decoder {
 public:
  JpegDecoder() {
    jpeg_.err = jpeg_std_error(&errors_);
    jpeg_.client_data = this;
    errors_.error_exit = OnError;
    errors_.emit_message = OnMessage;
  }
  // Does nothing to a structure that was not created.
  ~JpegDecoder() override { jpeg_destroy_decompress(&jpeg_); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  bool ReadHeader(std::FILE* file) override {
    if (setjmp(jump_) != 0) return false;
    jpeg_create_decompress(&jpeg_);
    jpeg_stdio_src(&jpeg_, file);
    jpeg_read_header(&jpeg_, TRUE);
    if (jpeg_.num_components != 1 && jpeg_.num_components != 3) {
      return Refuse("is CMYK; convert it to RGB");
    }
    jpeg_.out_color_space = jpeg_.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    width_ = static_cast<int>(jpeg_.image_width);
    height_ = static_cast<int>(jpeg_.image_height);
    channels_ = jpeg_.num_components;
    return true;
  }

  bool ReadRows(unsigned char** rows) override {
    if (setjmp(jump_) != 0) return false;
    jpeg_start_decompress(&jpeg_);
    while (jpeg_.output_scanline < jpeg_.output_height) {
      jpeg_read_scanlines(&jpeg_, rows + jpeg_.output_scanline, 1);
    }
    jpeg_finish_decompress(&jpeg_);
    return true;
  }

 private:
  static void OnError(j_common_ptr jpeg) {
    auto* decoder = static_cast<JpegDecoder*>(jpeg->client_data);
    jpeg->err->format_message(jpeg, decoder->error_);
    std::longjmp(decoder->jump_, 1);
  }
  // libjpeg paints over missing data with a warning; that would be another image. Its other
  // warnings do no harm.
  static void OnMessage(j_common_ptr jpeg, int level) {
    const int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER ||
                      code == JWRN_HUFF_BAD_CODE || code == JWRN_MUST_RESYNC)) {
      OnError(jpeg);
    }
  }

  jpeg_decompress_struct jpeg_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf jump_;
};

struct OpenImage {
  File file;
  std::unique_ptr<Decoder> decoder;
};

absl::StatusOr<OpenImage> Open(const std::string& path) {
  OpenImage image;
  struct stat info;
  ASSAY_ASSIGN_OR_RETURN(const int descriptor, OpenRegularFile(path, &info));
  image.file.reset(fdopen(descriptor, "rb"));
  if (image.file == nullptr) {
    const int error = errno;
    close(descriptor);
    return Unreadable(path, absl::StrCat("cannot be opened: ", ErrnoText(error)));
  }
  unsigned char magic[kMagicBytes] = {};
  const size_t got = std::fread(magic, 1, kMagicBytes, image.file.get());
  std::rewind(image.file.get());
  if (got == kMagicBytes && png_sig_cmp(magic, 0, kMagicBytes) == 0) {
    image.decoder = std::make_unique<PngDecoder>();
  } else if (got >= 3 && std::memcmp(magic, "\xff\xd8\xff", 3) == 0) {
    image.decoder = std::make_unique<JpegDecoder>();
  } else {
    return Unreadable(path, "is neither a PNG nor a JPEG image; remove or convert it");
  }
  if (!image.decoder->ReadHeader(image.file.get())) {
    return Unreadable(path, absl::StrCat("cannot be used: ", image.decoder->error()));
  }
  return image;
}

ImageFileInfo InfoOf(const Decoder& decoder) {
  return {decoder.width(), decoder.height(), decoder.channels() <= 2};
}

}  // namespace

absl::StatusOr<ImageFileInfo> ReadImageHeader(const std::string& path) {
  ASSAY_ASSIGN_OR_RETURN(const OpenImage image, Open(path));
  return InfoOf(*image.decoder);
}

absl::Status ReadImage(const std::string& path, const ImageFileInfo& expected, int channels,
                       char* planes) {
  ASSAY_ASSIGN_OR_RETURN(const OpenImage image, Open(path));
  Decoder& decoder = *image.decoder;
  const ImageFileInfo info = InfoOf(decoder);
  if (info.width != expected.width || info.height != expected.height ||
      (channels == 1 && !info.gray)) {
    return Unreadable(path, "changed since the folder was opened; do not change it meanwhile");
  }
  const auto width = static_cast<size_t>(info.width), height = static_cast<size_t>(info.height);
  const auto stored = static_cast<size_t>(decoder.channels());
  std::vector<unsigned char> pixels(width * height * stored);
  std::vector<unsigned char*> rows(height);
  for (size_t y = 0; y < height; ++y) rows[y] = &pixels[y * width * stored];
  if (!decoder.ReadRows(rows.data())) {
    return Unreadable(path, absl::StrCat("is damaged (", decoder.error(), "); fetch it again"));
  }
  const bool alpha = stored % 2 == 0;
  for (size_t i = 0; alpha && i < width * height; ++i) {
    if (pixels[i * stored + stored - 1] != 255) {
      return Unreadable(path, "has transparent pixels; flatten it onto a background");
    }
  }
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    const unsigned char* in = pixels.data() + (info.gray ? 0 : c);
    for (size_t i = 0; i < width * height; ++i) {
      *planes++ = static_cast<char>(in[i * stored]);
    }
  }
  return absl::OkStatus();
}

}  // namespace assay::client
