// The directory of the model repository as the scanner sees it, so that tests can make one up, and
// the real one. Paths are relative to it: "resnet/3/model.pt"; "" is the directory itself.
#ifndef ASSAY_SERVER_REPOSITORY_FILE_TREE_H_
#define ASSAY_SERVER_REPOSITORY_FILE_TREE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assay::repository {

// What tells one state of a file from another without reading it.
struct FileStamp {
  int64_t device = 0;
  int64_t inode = 0;
  int64_t size = 0;
  // Nanoseconds since the Unix epoch: of the last write, and of the last change of any kind, such
  // as a rename or a chmod.
  int64_t modified_nanos = 0;
  int64_t changed_nanos = 0;

  std::string ToString() const;
};
inline bool operator==(const FileStamp& a, const FileStamp& b) {
  return a.device == b.device && a.inode == b.inode && a.size == b.size &&
         a.modified_nanos == b.modified_nanos && a.changed_nanos == b.changed_nanos;
}
inline bool operator!=(const FileStamp& a, const FileStamp& b) { return !(a == b); }

// What a path leads to, links followed.
struct Entry {
  enum class Kind { kFile, kDirectory, kRefused };
  std::string name;
  Kind kind = Kind::kRefused;
  // Of kRefused: why, as in "x/y REASON".
  std::string reason;
};

// An open file: what it is called meanwhile does not matter. Not thread-safe.
class OpenedFile {
 public:
  virtual ~OpenedFile() = default;
  virtual absl::StatusOr<FileStamp> Stamp() const = 0;
  // At most `size` bytes; fewer at the end alone.
  virtual absl::StatusOr<std::string> Read(int64_t offset, size_t size) const = 0;
  // For what reads files by their path.
  virtual std::string path() const = 0;
};

class FileTree {
 public:
  virtual ~FileTree() = default;
  // What is in a directory, by name. Names that begin with a dot are passed over: tools that copy
  // write under such names before they rename. kTooLarge for more than `most`.
  virtual absl::StatusOr<std::vector<Entry>> List(const std::string& directory,
                                                  size_t most) const = 0;
  // Of a regular file; nullopt when it is not there any more.
  virtual absl::StatusOr<std::optional<FileStamp>> Stamp(const std::string& path) const = 0;
  // kUnreadableInput for what is not a regular file within the tree.
  virtual absl::StatusOr<std::unique_ptr<OpenedFile>> Open(const std::string& path) const = 0;
};

// All of a small file; kUnreadableInput for more than `most` bytes.
absl::StatusOr<std::string> ReadSmallFile(const FileTree& tree, const std::string& path,
                                          int64_t most);

// A directory. Links are followed within it and refused where they lead out of it; they may be
// changed while it is read.
class DirectoryTree final : public FileTree {
 public:
  explicit DirectoryTree(std::string root) : root_(std::move(root)) {}
  absl::StatusOr<std::vector<Entry>> List(const std::string& directory, size_t most) const override;
  absl::StatusOr<std::optional<FileStamp>> Stamp(const std::string& path) const override;
  absl::StatusOr<std::unique_ptr<OpenedFile>> Open(const std::string& path) const override;

 private:
  std::string Full(const std::string& path) const;
  // The root without links, as it is now: tools that publish by a link change it.
  absl::StatusOr<std::string> RealRoot() const;

  const std::string root_;
};

}  // namespace assay::repository

#endif  // ASSAY_SERVER_REPOSITORY_FILE_TREE_H_
