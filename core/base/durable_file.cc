#include "core/base/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay {
namespace {

absl::Status CannotWrite(const std::string& path, int error) {
  if (error == ENOSPC || error == EDQUOT) {
    return Error(Reason::kStorageFull, absl::StrCat("no space is left to write ", path));
  }
  return Error(Reason::kStorageFailed,
               absl::StrCat("cannot write ", path, ": ",
                            std::error_code(error, std::generic_category()).message()));
}

absl::Status SyncDirectoryOf(const std::string& path) {
  const std::string directory = (std::filesystem::path(path).parent_path() / ".").string();
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  return synced ? absl::OkStatus() : CannotWrite(directory, error);
}

}  // namespace

absl::Status WriteDurably(const std::string& path, absl::string_view text) {
  const std::string temporary = path + ".tmp";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return CannotWrite(temporary, errno);
  const ssize_t written = ::write(fd, text.data(), text.size());
  int error = written < 0 ? errno : ENOSPC;
  bool good = written == static_cast<ssize_t>(text.size());
  if (good && ::fsync(fd) != 0) {
    good = false;
    error = errno;
  }
  ::close(fd);
  if (good && std::rename(temporary.c_str(), path.c_str()) != 0) {
    good = false;
    error = errno;
  }
  if (!good) {
    ::unlink(temporary.c_str());
    return CannotWrite(path, error);
  }
  return SyncDirectoryOf(path);
}

absl::Status RemoveDurably(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return CannotWrite(path, errno);
  return SyncDirectoryOf(path);
}

}  // namespace assay
