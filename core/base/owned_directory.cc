#include "core/base/owned_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSuffix = 6;  // of mkdtemp

bool IsOwnDirectory(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid();
}

// The lock goes last: until then the directory is known for what it is, should this process die.
bool RemoveAll(const fs::path& directory) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    std::error_code ignored;
    if (entry.path().filename() != kOwnerLock) fs::remove_all(entry.path(), ignored);
  }
  fs::remove_all(directory, error);
  return !error;
}

}  // namespace

absl::StatusOr<std::unique_ptr<OwnedDirectory>> OwnedDirectory::Create(const std::string& prefix) {
  std::string path = absl::StrCat(prefix, std::string(kSuffix, 'X'));
  const auto failure = [&] {
    return absl::UnknownError(absl::StrCat(path, ": ", std::strerror(errno)));
  };
  if (mkdtemp(path.data()) == nullptr) return failure();
  // Under its name only once it is held: otherwise another process could take it in between.
  const std::string name = absl::StrCat(path, "/", kOwnerLock);
  const std::string unheld = name + ".new";
  const int lock = open(unheld.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0 ||
      rename(unheld.c_str(), name.c_str()) != 0) {
    const absl::Status status = failure();
    if (lock >= 0) close(lock);
    RemoveAll(path);
    return status;
  }
  return std::unique_ptr<OwnedDirectory>(new OwnedDirectory(std::move(path), lock));
}

OwnedDirectory::~OwnedDirectory() {
  RemoveAll(path_);
  close(lock_);
}

bool RemoveIfAbandoned(const std::string& path, const std::vector<std::string>& locks) {
  if (!IsOwnDirectory(path)) return false;
  std::vector<int> taken;
  bool held = false;
  for (const std::string& lock : locks) {
    const int fd =
        open(absl::StrCat(path, "/", lock).c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
      if (errno != ENOENT) held = true;
      continue;
    }
    taken.push_back(fd);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) held = true;
  }
  // Without a lock it may be one that is just being made.
  const bool removed = !held && !taken.empty() && RemoveAll(path);
  for (const int fd : taken) close(fd);
  return removed;
}

void RemoveAbandoned(const std::string& prefix, const std::vector<std::string>& locks) {
  const fs::path pattern(prefix);
  const std::string name = pattern.filename();
  std::error_code error;
  std::vector<std::string> found;
  for (auto entry = fs::directory_iterator(pattern.parent_path(), error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string other = entry->path().filename();
    if (other.size() == name.size() + kSuffix && absl::StartsWith(other, name)) {
      found.push_back(entry->path());
    }
  }
  for (const std::string& path : found) RemoveIfAbandoned(path, locks);
}

}  // namespace assay
