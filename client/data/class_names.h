// Names of classes in a text file, one name a line, the first for label 0.
#ifndef ASSAY_CLIENT_DATA_CLASS_NAMES_H_
#define ASSAY_CLIENT_DATA_CLASS_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace assay::client {

// What such a file is called where nobody says otherwise.
inline constexpr char kClassesFile[] = "classes.txt";

// kUnreadableInput when the file is not UTF-8 text of one name a line.
absl::StatusOr<std::vector<std::string>> ReadClassNames(const std::string& path);

// For formats without names of their own: those of `classes_path`, if it is given, otherwise of
// classes.txt beside `images_path`; none without such a file. kUnreadableInput also when a label
// has no name.
absl::StatusOr<std::vector<std::string>> FindClassNames(const std::string& images_path,
                                                        const std::string& classes_path,
                                                        const std::vector<int32_t>& labels);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_CLASS_NAMES_H_
