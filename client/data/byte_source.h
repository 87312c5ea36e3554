// A named range of bytes of an open file: the only way in which the readers of this directory touch
// a file. Every read is checked against the range, so that a parser can follow offsets from a
// hostile file without checks of its own.
//
// Copies are cheap and share the descriptor, which is closed with the last of them. Safe for
// concurrent reads.
#ifndef ASSAY_CLIENT_DATA_BYTE_SOURCE_H_
#define ASSAY_CLIENT_DATA_BYTE_SOURCE_H_

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assay::client {

// kUnreadableInput: "NAME: TEXT".
absl::Status Unreadable(absl::string_view name, absl::string_view text);
// The text of an errno value.
std::string ErrnoText(int error);

// A descriptor of a file for reading, and what fstat says of it. kUnreadableInput, at once and
// without opening it, for whatever is no regular file: a FIFO would make us wait for its writer.
absl::StatusOr<int> OpenRegularFile(const std::string& path, struct stat* info);

class ByteSource {
 public:
  // The whole of a regular file.
  static absl::StatusOr<ByteSource> Open(const std::string& path);
  // The first `size` bytes of an open file, whose descriptor is taken over.
  static ByteSource Adopt(int descriptor, int64_t size, std::string name);

  // The part [offset, offset + size) under a name of its own. kUnreadableInput when it does not lie
  // inside.
  absl::StatusOr<ByteSource> Slice(int64_t offset, int64_t size, std::string name) const;

  // kUnreadableInput when the range does not lie inside, or when the file cannot be read.
  absl::Status ReadAt(int64_t offset, int64_t count, char* out) const;
  absl::StatusOr<std::string> ReadAt(int64_t offset, int64_t count) const;
  // Up to `count` bytes from the beginning, for looking at magic numbers.
  absl::StatusOr<std::string> Head(int64_t count) const;

  // For error texts: the path, with the member of an archive where there is one.
  const std::string& name() const { return name_; }
  int64_t size() const { return size_; }

 private:
  struct Descriptor;
  ByteSource(std::shared_ptr<const Descriptor> descriptor, int64_t begin, int64_t size,
             std::string name);
  bool Contains(int64_t offset, int64_t count) const;

  std::shared_ptr<const Descriptor> descriptor_;
  int64_t begin_;
  int64_t size_;
  std::string name_;
};

// An unsigned integer of that many bytes as files store it.
template <typename T>
T LoadLittle(const char* bytes) {
  T value = 0;
  for (size_t i = sizeof(T); i-- > 0;) {
    value = static_cast<T>((uint64_t{value} << 8) | static_cast<unsigned char>(bytes[i]));
  }
  return value;
}

template <typename T>
T LoadBig(const char* bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>((uint64_t{value} << 8) | static_cast<unsigned char>(bytes[i]));
  }
  return value;
}

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_BYTE_SOURCE_H_
