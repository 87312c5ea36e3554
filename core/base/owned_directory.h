// A temporary directory that belongs to a living process. Its owner holds a lock in it, which goes
// with the process however that ends, so others can tell what was left behind and remove it.
#ifndef ASSAY_CORE_BASE_OWNED_DIRECTORY_H_
#define ASSAY_CORE_BASE_OWNED_DIRECTORY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace assay {

// The owner's lock, in the directory.
inline constexpr char kOwnerLock[] = "lock";

class OwnedDirectory {
 public:
  // A new one, for this user alone: PREFIX and six more characters. The error is plain text.
  static absl::StatusOr<std::unique_ptr<OwnedDirectory>> Create(const std::string& prefix);
  // Removes it with all that is in it.
  ~OwnedDirectory();
  OwnedDirectory(const OwnedDirectory&) = delete;
  OwnedDirectory& operator=(const OwnedDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  OwnedDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  const std::string path_;
  const int lock_;
};

// Removes a directory of this user when at least one of `locks`, files in it, exists and none is
// held. True when it is gone.
bool RemoveIfAbandoned(const std::string& path, const std::vector<std::string>& locks);

// The same for every directory PREFIX??????.
void RemoveAbandoned(const std::string& prefix, const std::vector<std::string>& locks);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_OWNED_DIRECTORY_H_
