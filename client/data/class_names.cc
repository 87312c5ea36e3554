#include "client/data/class_names.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/data/byte_source.h"
#include "client/data/text_file.h"
#include "core/base/errors.h"

namespace assay::client {

absl::StatusOr<std::vector<std::string>> ReadClassNames(const std::string& path) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  std::vector<std::string> names;
  for (absl::string_view line : absl::StrSplit(absl::StripTrailingAsciiWhitespace(text), '\n')) {
    names.emplace_back(absl::StripAsciiWhitespace(line));
    if (names.back().empty()) {
      return Unreadable(path, absl::StrCat("line ", names.size(),
                                           " is empty; write one class name a line, the first for "
                                           "label 0"));
    }
  }
  return names;
}

absl::StatusOr<std::vector<std::string>> FindClassNames(const std::string& images_path,
                                                        const std::string& classes_path,
                                                        const std::vector<int32_t>& labels) {
  std::string path = classes_path;
  if (path.empty()) {
    path = (std::filesystem::path(images_path).parent_path() / kClassesFile).string();
    std::error_code error;
    // A link to nothing is there, too: then somebody wanted names.
    if (!std::filesystem::exists(std::filesystem::symlink_status(path, error))) {
      return std::vector<std::string>();
    }
  }
  ASSAY_ASSIGN_OR_RETURN(std::vector<std::string> names, ReadClassNames(path));
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= static_cast<int64_t>(names.size())) {
      return Unreadable(
          path, absl::StrCat("has ", names.size(), " class names, but sample ", i, " has label ",
                             labels[i], "; write a name for each class, or move the file away"));
    }
  }
  return names;
}

}  // namespace assay::client
