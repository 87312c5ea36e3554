// Errors of the file system as statuses.
#ifndef ASSAY_SERVER_STORE_FILE_ERROR_H_
#define ASSAY_SERVER_STORE_FILE_ERROR_H_

#include <string>

#include "absl/status/status.h"

namespace assay::store {

// "cannot `what` `path`: ..." of an errno: kStorageFailed, or kStorageFull, which clients are told
// and whose text therefore names no path.
absl::Status FileError(const char* what, const std::string& path, int error);

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_FILE_ERROR_H_
