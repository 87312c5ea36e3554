// Archives for tests of what reads them, from records and from pickles that are written out here.
#ifndef ASSAY_TESTS_SERVER_ENGINE_IMPORT_ARCHIVES_H_
#define ASSAY_TESTS_SERVER_ENGINE_IMPORT_ARCHIVES_H_

#include <unistd.h>
#include <zip.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace assay::engine {

using Records = std::vector<std::pair<std::string, std::string>>;

// A zip archive in memory, its records stored, or compressed.
inline std::string ZipOf(const Records& records, bool compressed = false) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const target = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(target);
  zip_t* const archive = zip_open_from_source(target, ZIP_TRUNCATE, &error);
  for (const auto& [name, content] : records) {
    zip_source_t* const source = zip_source_buffer(archive, content.data(), content.size(), 0);
    const auto index =
        static_cast<zip_uint64_t>(zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8));
    zip_set_file_compression(archive, index, compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  zip_close(archive);
  zip_source_open(target);
  zip_source_seek(target, 0, SEEK_END);
  std::string bytes(static_cast<size_t>(zip_source_tell(target)), '\0');
  zip_source_seek(target, 0, SEEK_SET);
  zip_source_read(target, bytes.data(), bytes.size());
  zip_source_close(target);
  zip_source_free(target);
  zip_error_fini(&error);
  return bytes;
}

// A file of the test's own, gone with it.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_(std::filesystem::temp_directory_path() /
              ("assay_import_test_" + std::to_string(getpid()) + "_" + std::to_string(++count_))) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }

  std::string path() const { return path_.string(); }

 private:
  static inline int count_ = 0;
  const std::filesystem::path path_;
};

inline std::string BytesOf(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// --- pickles of protocol 2, as torch.save writes them

inline std::string PickledInt(int64_t value) {
  std::string text("J");
  for (int i = 0; i < 4; ++i) text += static_cast<char>((value >> (8 * i)) & 0xff);
  return text;
}

inline std::string PickledString(const std::string& value) {
  std::string text("X");
  for (size_t i = 0; i < 4; ++i) text += static_cast<char>((value.size() >> (8 * i)) & 0xff);
  return text + value;
}

inline std::string PickledInts(const std::vector<int64_t>& values) {
  std::string text("(");
  for (const int64_t value : values) text += PickledInt(value);
  return text + "t";
}

// ("storage", torch.FloatStorage, key, "cpu", count) as a storage.
inline std::string PickledStorage(const std::string& key, int64_t count) {
  return "(" + PickledString("storage") + "ctorch\nFloatStorage\n" + PickledString(key) +
         PickledString("cpu") + PickledInt(count) + "tQ";
}

inline std::string PickledTensor(const std::string& key, int64_t count, int64_t offset,
                                 const std::vector<int64_t>& sizes,
                                 const std::vector<int64_t>& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + PickledStorage(key, count) + PickledInt(offset) +
         PickledInts(sizes) + PickledInts(strides) +
         "\x89"
         "ccollections\nOrderedDict\n)RtR";
}

// {name: value, ...}
inline std::string PickledDict(const Records& items) {
  std::string text("\x80\x02}(");
  for (const auto& [name, value] : items) text += PickledString(name) + value;
  return text + "u.";
}

// What torch.save writes for a pickle and the storages that it names.
inline std::string Saved(const std::string& pickle, const Records& storages) {
  Records records = {{"archive/data.pkl", pickle}, {"archive/byteorder", "little"}};
  for (const auto& [key, bytes] : storages) records.emplace_back("archive/data/" + key, bytes);
  return ZipOf(records);
}

}  // namespace assay::engine

#endif  // ASSAY_TESTS_SERVER_ENGINE_IMPORT_ARCHIVES_H_
