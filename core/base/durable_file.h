// Small files that outlive a loss of power.
#ifndef ASSAY_CORE_BASE_DURABLE_FILE_H_
#define ASSAY_CORE_BASE_DURABLE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace assay {

// Makes `path` a file of this text, or leaves what was there: complete and on the disk when it
// returns OK. PATH.tmp is used on the way. Errors are kStorageFull or kStorageFailed.
absl::Status WriteDurably(const std::string& path, absl::string_view text);

// OK, too, if it is not there. Errors as above.
absl::Status RemoveDurably(const std::string& path);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_DURABLE_FILE_H_
