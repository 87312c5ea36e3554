#include "server/store/space_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace assay::store {

SpaceReserve::SpaceReserve(std::string path, int64_t bytes)
    : path_(std::move(path)), bytes_(bytes) {}

bool SpaceReserve::Use() {
  MutexLock lock(mutex_);
  return ::unlink(path_.c_str()) == 0;
}

void SpaceReserve::Restore() {
  MutexLock lock(mutex_);
  struct stat status;
  if (::stat(path_.c_str(), &status) == 0 && status.st_size == bytes_) return;
  std::error_code error;
  const auto space = std::filesystem::space(std::filesystem::path(path_).parent_path(), error);
  if (error || space.available < 2 * static_cast<uint64_t>(bytes_)) return;
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  // All or nothing: half a reserve would pass for one.
  if (::posix_fallocate(fd, 0, bytes_) != 0) ::unlink(path_.c_str());
  ::close(fd);
}

int64_t SpaceReserve::bytes() const {
  struct stat status;
  return ::stat(path_.c_str(), &status) == 0 ? status.st_size : 0;
}

}  // namespace assay::store
