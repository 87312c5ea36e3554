#include "client/data/ignored_names.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace assay::client {

bool IsIgnoredName(absl::string_view name) {
  // Hidden: .DS_Store, ._x (macOS), .ipynb_checkpoints, .git, .Trash-1000, ...
  if (absl::StartsWith(name, ".") || absl::EndsWith(name, "~")) return true;
  constexpr absl::string_view kNames[] = {
      "__MACOSX",     "Icon\r",       // macOS
      "Thumbs.db",    "desktop.ini",  // Windows
      "$RECYCLE.BIN", "RECYCLER",    "System Volume Information",
      "@eaDir",       "#recycle",    "#snapshot",  // Synology
      "lost+found",                                // ext4
      "__pycache__",
  };
  return std::any_of(std::begin(kNames), std::end(kNames), [&](absl::string_view ignored) {
    return absl::EqualsIgnoreCase(name, ignored);
  });
}

bool HasIgnoredPart(absl::string_view path) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  return std::any_of(parts.begin(), parts.end(), IsIgnoredName);
}

}  // namespace assay::client
