// Labelled images, as readers of files give them (open_dataset.h).
#ifndef ASSAY_CLIENT_DATA_DATASET_READER_H_
#define ASSAY_CLIENT_DATA_DATASET_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
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

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_DATASET_READER_H_
