#include "client/data/text_file.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "client/data/byte_source.h"
#include "core/base/errors.h"
#include "nlohmann/json.hpp"

namespace assay::client {
namespace {

// Far above any such file, far below what would hurt.
constexpr int64_t kMaxBytes = 16 << 20;
constexpr absl::string_view kUtf8Mark = "\xef\xbb\xbf";

// UTF-16 and UTF-32, either byte order.
bool HasWideMark(absl::string_view text) {
  return absl::StartsWith(text, "\xff\xfe") || absl::StartsWith(text, "\xfe\xff") ||
         absl::StartsWith(text, absl::string_view("\0\0\xfe\xff", 4));
}

}  // namespace

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  ASSAY_ASSIGN_OR_RETURN(const ByteSource source, ByteSource::Open(path));
  if (source.size() > kMaxBytes) {
    return Unreadable(path, "is too large for a text file of this kind (over 16 MiB)");
  }
  ASSAY_ASSIGN_OR_RETURN(std::string text, source.ReadAt(0, source.size()));
  if (HasWideMark(text)) {
    return Unreadable(path,
                      "is UTF-16 or UTF-32 text, as its byte-order mark says; save it as "
                      "UTF-8");
  }
  if (absl::StartsWith(text, kUtf8Mark)) text.erase(0, kUtf8Mark.size());
  if (!IsUtf8(text)) return Unreadable(path, "is not UTF-8 text; save it as UTF-8");
  return text;
}

}  // namespace assay::client
