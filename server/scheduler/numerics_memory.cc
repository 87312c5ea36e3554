#include "server/scheduler/numerics_memory.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/log.h"

namespace assay::scheduler {
namespace fs = std::filesystem;

std::string NumericsMemory::Path(const std::string& key) const {
  return absl::StrCat(directory_, "/", Sha256Hex(key));
}

std::optional<v1::NumericsFingerprint> NumericsMemory::Find(const std::string& key) const {
  if (directory_.empty()) return std::nullopt;
  std::ifstream file(Path(key), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  v1::NumericsFingerprint numerics;
  if (!file || !numerics.ParseFromString(bytes) || numerics.batch_size() < 1) return std::nullopt;
  return numerics;
}

v1::NumericsFingerprint NumericsMemory::Remember(const std::string& key,
                                                 const v1::NumericsFingerprint& numerics) const {
  if (directory_.empty()) return numerics;
  std::error_code error;
  fs::create_directories(directory_, error);
  const std::string path = Path(key);
  std::string temporary = path + ".XXXXXX";
  const int fd = mkstemp(temporary.data());
  const std::string bytes = numerics.SerializeAsString();
  const bool written =
      fd >= 0 && write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  if (fd >= 0) close(fd);
  // A link, unlike a rename, leaves what is there already. What is there but cannot be read makes
  // room.
  if (written && link(temporary.c_str(), path.c_str()) != 0 && !Find(key).has_value()) {
    fs::rename(temporary, path, error);
  }
  if (fd >= 0) unlink(temporary.c_str());
  const auto found = Find(key);
  if (!found.has_value()) {
    LogWarning(absl::StrCat("cannot remember numerics in ", directory_,
                            "; another call may choose others"));
  }
  return found.value_or(numerics);
}

}  // namespace assay::scheduler
