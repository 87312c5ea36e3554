#include "server/store/file_error.h"

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::store {

absl::Status FileError(const char* what, const std::string& path, int error) {
  // EFBIG: a limit on file sizes, which is a lack of room too.
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return Error(Reason::kStorageFull, "no space is left to store the data").ToStatus();
  }
  return Error(Reason::kStorageFailed,
               absl::StrCat("cannot ", what, " ", path, ": ",
                            std::error_code(error, std::generic_category()).message()));
}

}  // namespace assay::store
