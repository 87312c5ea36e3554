// Writes images as PNG files.
#ifndef ASSAY_CLIENT_CLI_BASE_PNG_FILE_H_
#define ASSAY_CLIENT_CLI_BASE_PNG_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "core/corruptions/corruption.h"

namespace assay::cli {

// 8 bits, gray or RGB; complete or not at all. An error when it cannot be written.
absl::Status WritePng(const std::string& path, const corruptions::Image& image);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_PNG_FILE_H_
