// Small text files that people write: class names, the config file, reference errors.
#ifndef ASSAY_CLIENT_DATA_TEXT_FILE_H_
#define ASSAY_CLIENT_DATA_TEXT_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/base/utf8.h"

namespace assay::client {

// The text without the byte-order mark that some editors put before it. kUnreadableInput for what
// is no regular file, is over 16 MiB, or is not UTF-8.
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

using assay::IsUtf8;

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_TEXT_FILE_H_
