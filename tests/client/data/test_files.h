// Makes the files that the readers are tested with, by means that share nothing with the readers.
#ifndef ASSAY_TESTS_CLIENT_DATA_TEST_FILES_H_
#define ASSAY_TESTS_CLIENT_DATA_TEST_FILES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/data/open_dataset.h"
#include "core/base/errors.h"

namespace assay::client {

// A directory that goes with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  // The path of `name`, whose parent directories are made.
  std::string At(const std::string& name) const;
  // Writes a file and returns its path.
  std::string Write(const std::string& name, const std::string& bytes) const;
  // How many files there are, at any depth.
  int Files() const;

 private:
  std::string path_;
};

std::string ReadAll(const std::string& path);

// The bytes of the values as they lie in memory (little-endian).
template <typename T>
std::string Bytes(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}
// `count` bytes that all differ from their neighbours.
std::string Pattern(size_t count, unsigned seed = 0);

// An NPY file, version 1; `shape` as Python writes it.
std::string Npy(const std::string& dtype, const std::string& shape, const std::string& data);
std::string NpyWithHeader(const std::string& header, const std::string& data);
// An IDX file of unsigned bytes.
std::string Idx(const std::vector<uint32_t>& dimensions, const std::string& data);
std::string Gzip(const std::string& data);

struct ZipFile {
  std::string name;
  std::string data;
  bool deflate = false;
};
// A zip archive; `zip64` uses 64-bit fields throughout.
std::string Zip(const std::vector<ZipFile>& files, bool zip64 = false);

// 8 bits, 1 or 3 (RGB) or 4 (RGBA) channels, interleaved pixels.
void WritePng(const std::string& path, int width, int height, int channels,
              const std::string& pixels);
void WriteJpeg(const std::string& path, int width, int height, int channels,
               const std::string& pixels);

struct Samples {
  std::vector<int32_t> labels;
  std::string pixels;
};

absl::StatusOr<std::unique_ptr<DatasetReader>> OpenPath(const std::string& path,
                                                        const std::string& format = "auto",
                                                        const std::string& labels = "");
// Opens and reads everything.
absl::StatusOr<Samples> ReadPath(const std::string& path, const std::string& format = "auto",
                                 const std::string& labels = "");

// Expects a kUnreadableInput whose text contains every part.
void ExpectUnreadable(const absl::Status& status, const std::vector<std::string>& parts);

}  // namespace assay::client

#endif  // ASSAY_TESTS_CLIENT_DATA_TEST_FILES_H_
