#include "server/repository/file_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::repository {
namespace {

constexpr char kLeadsOut[] =
    "is a link that leads out of the repository; copy what it leads to, or link within the "
    "repository";

absl::Status Unreadable(const std::string& path, const std::string& what) {
  return Error(Reason::kUnreadableInput, absl::StrCat(path, " ", what));
}

absl::Status CannotRead(const std::string& path, int error) {
  return Unreadable(path, absl::StrCat("cannot be read: ", std::strerror(error)));
}

FileStamp StampOf(const struct stat& found) {
  const auto nanos = [](const timespec& time) {
    return int64_t{time.tv_sec} * 1'000'000'000 + int64_t{time.tv_nsec};
  };
  FileStamp stamp;
  stamp.device = static_cast<int64_t>(found.st_dev);
  stamp.inode = static_cast<int64_t>(found.st_ino);
  stamp.size = int64_t{found.st_size};
  stamp.modified_nanos = nanos(found.st_mtim);
  stamp.changed_nanos = nanos(found.st_ctim);
  return stamp;
}

// "" where there is nothing.
std::string RealPath(const std::string& path) {
  char* const real = realpath(path.c_str(), nullptr);
  if (real == nullptr) return "";
  std::string text = real;
  std::free(real);
  return text;
}

bool IsWithin(const std::string& path, const std::string& root) {
  return path == root || absl::StartsWith(path, root == "/" ? root : absl::StrCat(root, "/"));
}

class DescriptorFile final : public OpenedFile {
 public:
  DescriptorFile(int descriptor, std::string name)
      : descriptor_(descriptor), name_(std::move(name)) {}
  ~DescriptorFile() override { close(descriptor_); }

  absl::StatusOr<FileStamp> Stamp() const override {
    struct stat found {};
    if (fstat(descriptor_, &found) != 0) return CannotRead(name_, errno);
    return StampOf(found);
  }

  absl::StatusOr<std::string> Read(int64_t offset, size_t size) const override {
    std::string bytes(size, '\0');
    size_t read = 0;
    while (read < size) {
      const ssize_t got = pread(descriptor_, bytes.data() + read, size - read,
                                static_cast<off_t>(offset + static_cast<int64_t>(read)));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return CannotRead(name_, errno);
      if (got == 0) break;
      read += static_cast<size_t>(got);
    }
    bytes.resize(read);
    return bytes;
  }

  std::string path() const override { return absl::StrCat("/proc/self/fd/", descriptor_); }

 private:
  const int descriptor_;
  const std::string name_;
};

}  // namespace

std::string FileStamp::ToString() const {
  return absl::StrCat(device, ":", inode, ":", size, ":", modified_nanos, ":", changed_nanos);
}

absl::StatusOr<std::string> ReadSmallFile(const FileTree& tree, const std::string& path,
                                          int64_t most) {
  ASSAY_ASSIGN_OR_RETURN(const auto file, tree.Open(path));
  ASSAY_ASSIGN_OR_RETURN(std::string text, file->Read(0, static_cast<size_t>(most) + 1));
  if (static_cast<int64_t>(text.size()) > most) {
    return Unreadable(path, absl::StrCat("has more than ", most, " bytes"));
  }
  return text;
}

std::string DirectoryTree::Full(const std::string& path) const {
  return path.empty() ? root_ : absl::StrCat(root_, "/", path);
}

absl::StatusOr<std::string> DirectoryTree::RealRoot() const {
  std::string root = RealPath(root_);
  if (root.empty()) return CannotRead(root_, errno);
  return root;
}

absl::StatusOr<std::vector<Entry>> DirectoryTree::List(const std::string& directory,
                                                       size_t most) const {
  const std::string full = Full(directory);
  ASSAY_ASSIGN_OR_RETURN(const std::string root, RealRoot());
  DIR* const stream = opendir(full.c_str());
  if (stream == nullptr) return CannotRead(full, errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* const entry = readdir(stream)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    if (names.size() > most) break;
  }
  const int error = errno;
  closedir(stream);
  if (names.size() > most) {
    return Error(Reason::kTooLarge, absl::StrCat(full, " has more than ", most, " entries"));
  }
  if (error != 0) return CannotRead(full, error);
  std::sort(names.begin(), names.end());
  std::vector<Entry> entries;
  for (std::string& name : names) {
    const std::string path = absl::StrCat(full, "/", name);
    struct stat found {};
    Entry& entry = entries.emplace_back();
    entry.name = std::move(name);
    if (lstat(path.c_str(), &found) == 0 && S_ISLNK(found.st_mode)) {
      const std::string real = RealPath(path);
      if (real.empty()) {
        entry.reason = "is a link to nothing";
        continue;
      }
      if (!IsWithin(real, root)) {
        entry.reason = kLeadsOut;
        continue;
      }
    }
    if (stat(path.c_str(), &found) != 0) {
      entry.reason = absl::StrCat("cannot be read: ", std::strerror(errno));
    } else if (S_ISREG(found.st_mode)) {
      entry.kind = Entry::Kind::kFile;
    } else if (S_ISDIR(found.st_mode)) {
      entry.kind = Entry::Kind::kDirectory;
    } else {
      entry.reason = "is neither a file nor a directory";
    }
  }
  return entries;
}

absl::StatusOr<std::optional<FileStamp>> DirectoryTree::Stamp(const std::string& path) const {
  struct stat found {};
  if (stat(Full(path).c_str(), &found) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return CannotRead(path, errno);
  }
  if (!S_ISREG(found.st_mode)) return std::nullopt;
  return StampOf(found);
}

absl::StatusOr<std::unique_ptr<OpenedFile>> DirectoryTree::Open(const std::string& path) const {
  // A pipe in its place must not make us wait.
  const int descriptor = open(Full(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return CannotRead(path, errno);
  std::unique_ptr<OpenedFile> file = std::make_unique<DescriptorFile>(descriptor, path);
  struct stat found {};
  if (fstat(descriptor, &found) != 0 || !S_ISREG(found.st_mode)) {
    return Unreadable(path, "is no regular file");
  }
  // Of what is open, not of the path, which somebody can turn elsewhere meanwhile.
  ASSAY_ASSIGN_OR_RETURN(const std::string root, RealRoot());
  char real[PATH_MAX];
  const ssize_t size = readlink(file->path().c_str(), real, sizeof(real));
  if (size <= 0 || !IsWithin(std::string(real, static_cast<size_t>(size)), root)) {
    return Unreadable(path, kLeadsOut);
  }
  return file;
}

}  // namespace assay::repository
