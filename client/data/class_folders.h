// The class folders below a root, and the images in them: which there are and in which order
// (folder_reader.h has the rules). Looks at names only, not into images.
#ifndef ASSAY_CLIENT_DATA_CLASS_FOLDERS_H_
#define ASSAY_CLIENT_DATA_CLASS_FOLDERS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/data/dataset_reader.h"
#include "client/data/open_options.h"

namespace assay::client {

struct ClassFolder {
  std::string name;
  // Paths, sorted.
  std::vector<std::string> images;
};

struct ClassFolders {
  // Class i has label i. At least one has images.
  std::vector<ClassFolder> classes;
  // What a user should know of the order, and of what was left out.
  std::vector<std::string> notes;
};

// Uses classes_path, allow_missing_classes and check of the options.
absl::StatusOr<ClassFolders> FindClassFolders(const std::string& root, const OpenOptions& options);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_CLASS_FOLDERS_H_
