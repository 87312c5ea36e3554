#include "client/data/byte_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

const char* KindOf(mode_t mode) {
  if (S_ISFIFO(mode)) return "pipe (FIFO)";
  if (S_ISSOCK(mode)) return "socket";
  return "device";
}

}  // namespace

struct ByteSource::Descriptor {
  explicit Descriptor(int number) : fd(number) {}
  ~Descriptor() { close(fd); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  const int fd;
};

absl::Status Unreadable(absl::string_view name, absl::string_view text) {
  return Error(Reason::kUnreadableInput, absl::StrCat(name, ": ", text)).ToStatus();
}

std::string ErrnoText(int error) {
  return std::error_code(error, std::generic_category()).message();
}

ByteSource::ByteSource(std::shared_ptr<const Descriptor> descriptor, int64_t begin, int64_t size,
                       std::string name)
    : descriptor_(std::move(descriptor)), begin_(begin), size_(size), name_(std::move(name)) {}

absl::StatusOr<int> OpenRegularFile(const std::string& path, struct stat* info) {
  const auto check = [&]() -> absl::Status {
    if (S_ISREG(info->st_mode)) return absl::OkStatus();
    if (S_ISDIR(info->st_mode)) {
      return Unreadable(path, "is a directory where a file is needed; name the file in it");
    }
    return Unreadable(path, absl::StrCat("is not a regular file but a ", KindOf(info->st_mode),
                                         "; save the data to a file first"));
  };
  // Before it is opened: opening a device can do things, and a socket cannot be opened at all.
  if (stat(path.c_str(), info) == 0) ASSAY_RETURN_IF_ERROR(check());
  // O_NONBLOCK: opening a FIFO that appeared meanwhile must not hang.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int error = errno;
    return Unreadable(path, absl::StrCat("cannot be opened (", ErrnoText(error), "); check ",
                                         error == EACCES ? "its permissions" : "the path"));
  }
  const absl::Status status =
      fstat(fd, info) == 0
          ? check()
          : Unreadable(path, absl::StrCat("cannot be examined: ", ErrnoText(errno)));
  if (status.ok()) return fd;
  close(fd);
  return status;
}

absl::StatusOr<ByteSource> ByteSource::Open(const std::string& path) {
  struct stat info;
  ASSAY_ASSIGN_OR_RETURN(const int fd, OpenRegularFile(path, &info));
  return ByteSource(std::make_shared<const Descriptor>(fd), 0, info.st_size, path);
}

ByteSource ByteSource::Adopt(int descriptor, int64_t size, std::string name) {
  return ByteSource(std::make_shared<const Descriptor>(descriptor), 0, size, std::move(name));
}

bool ByteSource::Contains(int64_t offset, int64_t count) const {
  return offset >= 0 && count >= 0 && offset <= size_ && count <= size_ - offset;
}

absl::StatusOr<ByteSource> ByteSource::Slice(int64_t offset, int64_t size, std::string name) const {
  if (!Contains(offset, size)) {
    return Unreadable(
        name, absl::StrCat("should be ", size, " bytes at byte ", offset, ", but ", name_,
                           " has only ", size_, "; it is truncated or damaged: fetch it again"));
  }
  return ByteSource(descriptor_, begin_ + offset, size, std::move(name));
}

absl::Status ByteSource::ReadAt(int64_t offset, int64_t count, char* out) const {
  if (!Contains(offset, count)) {
    return Unreadable(name_,
                      absl::StrCat("ends at byte ", size_, ", but bytes ", offset, " to ",
                                   static_cast<uint64_t>(offset) + static_cast<uint64_t>(count),
                                   " are needed; it is truncated or damaged: fetch it "
                                   "again"));
  }
  while (count > 0) {
    const ssize_t got = pread(descriptor_->fd, out, static_cast<size_t>(count), begin_ + offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return Unreadable(name_,
                        absl::StrCat("cannot be read at byte ", offset, ": ", ErrnoText(errno)));
    }
    if (got == 0) {
      return Unreadable(name_,
                        absl::StrCat("became shorter than ", size_,
                                     " bytes while it was read; do not change it meanwhile"));
    }
    out += got;
    offset += got;
    count -= got;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ByteSource::ReadAt(int64_t offset, int64_t count) const {
  // Before memory is taken for it, a wrong count is refused by the read of nothing.
  std::string bytes(Contains(offset, count) ? static_cast<size_t>(count) : 0, '\0');
  ASSAY_RETURN_IF_ERROR(ReadAt(offset, count, bytes.data()));
  return bytes;
}

absl::StatusOr<std::string> ByteSource::Head(int64_t count) const {
  return ReadAt(0, std::min(count, size_));
}

}  // namespace assay::client
