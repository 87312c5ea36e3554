// Names of what archivers, editors, file managers and file systems leave beside the data of people:
// no class, no image, no array.
#ifndef ASSAY_CLIENT_DATA_IGNORED_NAMES_H_
#define ASSAY_CLIENT_DATA_IGNORED_NAMES_H_

#include "absl/strings/string_view.h"

namespace assay::client {

// Whether a file or folder of that name is passed over: hidden ones, backups (NAME~), `__MACOSX`,
// `Thumbs.db` and their like. Case does not matter.
bool IsIgnoredName(absl::string_view name);

// Whether that is so for any part of a path, such as "__MACOSX/._images.npy".
bool HasIgnoredPart(absl::string_view path);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_IGNORED_NAMES_H_
