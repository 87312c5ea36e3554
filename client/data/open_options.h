// What a user says about the data to be opened, for every format.
#ifndef ASSAY_CLIENT_DATA_OPEN_OPTIONS_H_
#define ASSAY_CLIENT_DATA_OPEN_OPTIONS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace assay::client {

struct OpenOptions {
  // One or several paths of one format; several CIFAR files (data_batch_1.bin, ...) are joined in
  // the order given. "FILE.npz::MEMBER" names one array of an NPZ, where images do not have a
  // usual name (npz_archive.h lists them). "FILE.npy:3" names one severity of a ready-made set
  // (ready_made.h).
  std::vector<std::string> paths;
  // Labels for IDX, NPY and NPZ images; empty: looked for beside the images under the usual names.
  std::string labels_path;
  // "auto", "cifar10", "cifar100", "idx", "npy", "npz" or "folder".
  std::string format = "auto";
  // Names of the classes, one a line, the first for label 0. Empty: classes.txt where there is one,
  // beside NPY, NPZ and IDX files, in a folder of class folders.
  std::string classes_path;
  // Class folders may be empty, or absent where a file of class names lists them.
  bool allow_missing_classes = false;
  // Asked again and again while many files are looked at; its error ends that.
  std::function<absl::Status()> check;
};

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_OPEN_OPTIONS_H_
