// Names of classes for formats that have none of their own: a text file "classes.txt" beside the
// images, one name a line, the first for label 0.
#ifndef ASSAY_CLIENT_DATA_CLASS_NAMES_H_
#define ASSAY_CLIENT_DATA_CLASS_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace assay::client {

// The names in classes.txt beside `images_path`; none without such a file. kUnreadableInput when
// the file is not text of one name a line, or when a label has no name in it.
absl::StatusOr<std::vector<std::string>> FindClassNames(const std::string& images_path,
                                                        const std::vector<int32_t>& labels);

// Class names travel in protobuf strings.
bool IsUtf8(const std::string& text);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_CLASS_NAMES_H_
