// Reads labelled images from the files that people have: CIFAR-10/100 binary, IDX (gzip too), NPY
// and NPZ, and a folder of class folders with PNG and JPEG files. Nothing is held in memory at
// once.
#ifndef ASSAY_CLIENT_DATA_DATASET_READER_H_
#define ASSAY_CLIENT_DATA_DATASET_READER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/types.pb.h"

namespace assay::client {

class DatasetReader {
 public:
  virtual ~DatasetReader() = default;
  virtual const v1::ImageShape& shape() const = 0;
  virtual v1::PixelType pixel_type() const = 0;
  // Empty when neither the format nor a file names them (class_names.h).
  virtual const std::vector<std::string>& class_names() const = 0;
  virtual int64_t size() const = 0;
  // Samples [first, first + count): labels are appended to `labels`, pixels (NCHW; FLOAT32 in
  // [0,1]) to `pixels`. kUnreadableInput names the file, the sample, and what would be right.
  virtual absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                            std::string* pixels) = 0;
  // What a user should know of the data as far as they were read: a sentence each.
  virtual std::vector<std::string> Notes() const { return {}; }
};

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

absl::StatusOr<std::unique_ptr<DatasetReader>> OpenDataset(const OpenOptions& options);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_DATASET_READER_H_
