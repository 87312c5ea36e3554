#include "client/data/class_names.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/data/byte_source.h"
#include "common/errors.h"
#include "nlohmann/json.hpp"

namespace assay::client {
namespace {

// Far above the names of any data set, far below what would hurt.
constexpr int64_t kMaxBytes = 16 << 20;

}  // namespace

absl::StatusOr<std::vector<std::string>> FindClassNames(const std::string& images_path,
                                                        const std::vector<int32_t>& labels) {
  const std::string path =
      (std::filesystem::path(images_path).parent_path() / "classes.txt").string();
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::vector<std::string>();
  ASSAY_ASSIGN_OR_RETURN(const ByteSource source, ByteSource::Open(path));
  if (source.size() > kMaxBytes) return Unreadable(path, "is too large for a list of class names");
  ASSAY_ASSIGN_OR_RETURN(const std::string text, source.ReadAt(0, source.size()));
  if (!IsUtf8(text)) return Unreadable(path, "is not UTF-8 text; save it as UTF-8");
  std::vector<std::string> names;
  for (absl::string_view line : absl::StrSplit(absl::StripTrailingAsciiWhitespace(text), '\n')) {
    names.emplace_back(absl::StripAsciiWhitespace(line));
    if (names.back().empty()) {
      return Unreadable(path, absl::StrCat("line ", names.size(),
                                           " is empty; write one class name a line, the first for "
                                           "label 0"));
    }
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= static_cast<int64_t>(names.size())) {
      return Unreadable(
          path, absl::StrCat("has ", names.size(), " class names, but sample ", i, " has label ",
                             labels[i], "; write a name for each class, or move the file away"));
    }
  }
  return names;
}

bool IsUtf8(const std::string& text) {
  using Json = nlohmann::json;
  const std::string kept = Json(text).dump(-1, ' ', false, Json::error_handler_t::ignore);
  return Json::parse(kept).get<std::string>() == text;
}

}  // namespace assay::client
