// What Triton's config.pbtxt says of the names of classes.
#ifndef ASSAY_SERVER_REPOSITORY_TRITON_CONFIG_H_
#define ASSAY_SERVER_REPOSITORY_TRITON_CONFIG_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/datasets.pb.h"
#include "server/repository/file_tree.h"

namespace assay::repository {

struct NamedClasses {
  // "resnet/labels.txt"
  std::string file;
  std::vector<std::string> names;
};

// The label files of the outputs in a config ("resnet/config.pbtxt"), which lie beside it: a name a
// line, the first for logit 0. Empty where the config names none. kUnreadableInput for a config or
// a label file that cannot be understood.
absl::StatusOr<std::vector<NamedClasses>> ReadNamedClasses(const FileTree& tree,
                                                           const std::string& config);

// Whether a dataset means the same classes: as many names, equal and in the same order. OK where
// the dataset has no names.
absl::Status CheckNamedClasses(const NamedClasses& classes, const v1::Dataset& dataset);

}  // namespace assay::repository

#endif  // ASSAY_SERVER_REPOSITORY_TRITON_CONFIG_H_
