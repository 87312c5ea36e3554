#include "tests/client/data/test_files.h"

#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

// jpeglib.h needs stdio.h before it.
#include <jpeglib.h>
#include <png.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay::client {
namespace {

namespace fs = std::filesystem;

void AppendLittle(std::string* out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) *out += static_cast<char>(value >> (8 * i));
}

std::string Compress(const std::string& data, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

TempDir::TempDir() {
  path_ = (fs::temp_directory_path() / "assay-test-XXXXXX").string();
  if (mkdtemp(path_.data()) == nullptr) std::abort();
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string TempDir::At(const std::string& name) const {
  const fs::path path = fs::path(path_) / name;
  fs::create_directories(path.parent_path());
  return path.string();
}

std::string TempDir::Write(const std::string& name, const std::string& bytes) const {
  std::string path = At(name);
  // A new file: some file systems write a truncated one to the disk at once, which takes long.
  fs::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

int TempDir::Files() const {
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path_)) {
    if (entry.is_regular_file()) ++files;
  }
  return files;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string Pattern(size_t count, unsigned seed) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * 37 + i / 256 * 11 + seed);
  return bytes;
}

std::string NpyWithHeader(const std::string& header, const std::string& data) {
  std::string out("\x93NUMPY\x01\x00", 8);
  AppendLittle(&out, header.size(), 2);
  return out + header + data;
}

std::string Npy(const std::string& dtype, const std::string& shape, const std::string& data) {
  std::string header =
      "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  return NpyWithHeader(header + "\n", data);
}

std::string Idx(const std::vector<uint32_t>& dimensions, const std::string& data) {
  std::string out("\0\0\x08", 3);
  out += static_cast<char>(dimensions.size());
  for (const uint32_t dimension : dimensions) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(dimension >> shift);
  }
  return out + data;
}

std::string Gzip(const std::string& data) { return Compress(data, 15 + 16); }

std::string Zip(const std::vector<ZipFile>& files, bool zip64) {
  std::string out, directory;
  for (const ZipFile& file : files) {
    const std::string stored = file.deflate ? Compress(file.data, -15) : file.data;
    const auto crc = static_cast<uint32_t>(crc32(
        0, reinterpret_cast<const Bytef*>(file.data.data()), static_cast<uInt>(file.data.size())));
    const uint64_t offset = out.size();
    const auto common = [&](std::string* to) {
      AppendLittle(to, 45, 2);                    // version needed
      AppendLittle(to, 0, 2);                     // flags
      AppendLittle(to, file.deflate ? 8 : 0, 2);  // method
      AppendLittle(to, 0, 4);                     // time and date
      AppendLittle(to, crc, 4);
      AppendLittle(to, zip64 ? 0xffffffff : stored.size(), 4);
      AppendLittle(to, zip64 ? 0xffffffff : file.data.size(), 4);
      AppendLittle(to, file.name.size(), 2);
    };
    out += "PK\x03\x04";
    common(&out);
    AppendLittle(&out, zip64 ? 20 : 0, 2);
    out += file.name;
    if (zip64) {
      AppendLittle(&out, 1, 2);
      AppendLittle(&out, 16, 2);
      AppendLittle(&out, file.data.size(), 8);
      AppendLittle(&out, stored.size(), 8);
    }
    out += stored;

    directory += "PK\x01\x02";
    AppendLittle(&directory, 45, 2);  // version made by
    common(&directory);
    AppendLittle(&directory, zip64 ? 28 : 0, 2);
    AppendLittle(&directory, 0, 2);  // comment
    AppendLittle(&directory, 0, 8);  // disk, attributes
    AppendLittle(&directory, zip64 ? 0xffffffff : offset, 4);
    directory += file.name;
    if (zip64) {
      AppendLittle(&directory, 1, 2);
      AppendLittle(&directory, 24, 2);
      AppendLittle(&directory, file.data.size(), 8);
      AppendLittle(&directory, stored.size(), 8);
      AppendLittle(&directory, offset, 8);
    }
  }
  const uint64_t directory_offset = out.size();
  out += directory;
  if (zip64) {
    const uint64_t end64 = out.size();
    out += "PK\x06\x06";
    AppendLittle(&out, 44, 8);
    AppendLittle(&out, 45, 2);
    AppendLittle(&out, 45, 2);
    AppendLittle(&out, 0, 8);  // disks
    AppendLittle(&out, files.size(), 8);
    AppendLittle(&out, files.size(), 8);
    AppendLittle(&out, directory.size(), 8);
    AppendLittle(&out, directory_offset, 8);
    out += "PK\x06\x07";
    AppendLittle(&out, 0, 4);
    AppendLittle(&out, end64, 8);
    AppendLittle(&out, 1, 4);
  }
  out += "PK\x05\x06";
  AppendLittle(&out, 0, 4);  // disks
  AppendLittle(&out, zip64 ? 0xffff : files.size(), 2);
  AppendLittle(&out, zip64 ? 0xffff : files.size(), 2);
  AppendLittle(&out, zip64 ? 0xffffffff : directory.size(), 4);
  AppendLittle(&out, zip64 ? 0xffffffff : directory_offset, 4);
  AppendLittle(&out, 0, 2);  // comment
  return out;
}

void WritePng(const std::string& path, int width, int height, int channels,
              const std::string& pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  ASSERT_NE(png_image_write_to_file(&image, path.c_str(), 0, pixels.data(), 0, nullptr), 0)
      << image.message;
}

void WriteJpeg(const std::string& path, int width, int height, int channels,
               const std::string& pixels) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  std::FILE* file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  jpeg_stdio_dest(&jpeg, file);
  jpeg.image_width = static_cast<JDIMENSION>(width);
  jpeg.image_height = static_cast<JDIMENSION>(height);
  jpeg.input_components = channels;
  jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < height; ++y) {
    auto* row = reinterpret_cast<JSAMPLE*>(
        const_cast<char*>(&pixels[static_cast<size_t>(y * width * channels)]));
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::fclose(file);
}

absl::StatusOr<std::unique_ptr<DatasetReader>> OpenPath(const std::string& path,
                                                        const std::string& format,
                                                        const std::string& labels) {
  OpenOptions options;
  options.paths = {path};
  options.format = format;
  options.labels_path = labels;
  return OpenDataset(options);
}

absl::StatusOr<Samples> ReadPath(const std::string& path, const std::string& format,
                                 const std::string& labels) {
  ASSAY_ASSIGN_OR_RETURN(auto reader, OpenPath(path, format, labels));
  Samples samples;
  ASSAY_RETURN_IF_ERROR(reader->Read(0, reader->size(), &samples.labels, &samples.pixels));
  return samples;
}

void ExpectUnreadable(const absl::Status& status, const std::vector<std::string>& parts) {
  ASSERT_FALSE(status.ok()) << "expected an error";
  EXPECT_EQ(ReasonOf(status), Reason::kUnreadableInput) << status;
  for (const std::string& part : parts) {
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(part));
  }
}

}  // namespace assay::client
