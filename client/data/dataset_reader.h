// Reads labelled images from the files that people have: CIFAR-10/100 binary, IDX (gzip too), NPY
// and NPZ, and a folder of class folders with PNG and JPEG files. Nothing is held in memory at
// once.
#ifndef ASSAY_CLIENT_DATA_DATASET_READER_H_
#define ASSAY_CLIENT_DATA_DATASET_READER_H_

#include <cstdint>
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
  // Empty when neither the format nor a classes.txt beside NPY, NPZ and IDX files names them.
  virtual const std::vector<std::string>& class_names() const = 0;
  virtual int64_t size() const = 0;
  // Samples [first, first + count): labels are appended to `labels`, pixels (NCHW; FLOAT32 in
  // [0,1]) to `pixels`. kUnreadableInput names the file, the sample, and what would be right.
  virtual absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                            std::string* pixels) = 0;
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
};

absl::StatusOr<std::unique_ptr<DatasetReader>> OpenDataset(const OpenOptions& options);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_DATASET_READER_H_
