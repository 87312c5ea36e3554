// What all readers share: the description of the data, the checks of Read's arguments, and the
// promise that a failed Read leaves its outputs as they were. A reader of a format is a ReadInto
// and a function that opens it.
#ifndef ASSAY_CLIENT_DATA_READER_BASE_H_
#define ASSAY_CLIENT_DATA_READER_BASE_H_

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/data/dataset_reader.h"

namespace assay::client {

// Everything about a dataset but its samples.
struct DatasetInfo {
  v1::ImageShape shape;
  v1::PixelType pixel_type = v1::UINT8;
  std::vector<std::string> class_names;
  int64_t size = 0;
  // For Notes().
  std::vector<std::string> notes;
};

class ReaderBase : public DatasetReader {
 public:
  const v1::ImageShape& shape() const final { return info_.shape; }
  v1::PixelType pixel_type() const final { return info_.pixel_type; }
  const std::vector<std::string>& class_names() const final { return info_.class_names; }
  int64_t size() const final { return info_.size; }
  absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                    std::string* pixels) final;
  // Also of data that look as if they were made wrongly.
  std::vector<std::string> Notes() const final;

  // Fills `count` labels and images; the range lies inside. Public for readers that are made of
  // readers.
  virtual absl::Status ReadInto(int64_t first, int64_t count, int32_t* labels, char* pixels) = 0;

  // Of one sample.
  int64_t image_elements() const {
    return int64_t{info_.shape.channels()} * info_.shape.height() * info_.shape.width();
  }
  int64_t image_bytes() const;

 protected:
  explicit ReaderBase(DatasetInfo info) : info_(std::move(info)) {}

 private:
  // A reader's own notes on what it read.
  virtual void AddNotes(std::vector<std::string>* /*notes*/) const {}
  // Remembers what Notes() needs, of samples read in their order for the first time.
  void Watch(int64_t first, int64_t count, const int32_t* labels, const char* pixels);
  void AddLabelNotes(std::vector<std::string>* notes) const;

  // Samples watched, and what they had.
  int64_t watched_ = 0;
  bool labels_ascend_ = true;
  int32_t last_label_ = 0;
  std::set<int32_t> labels_seen_;
  float largest_pixel_ = 0;

  // Constant after construction.
  const DatasetInfo info_;
};

// The shape, if servers accept it (core/base/manifest.h). Any numbers may be given, as they were
// found in the file `name`.
absl::StatusOr<v1::ImageShape> CheckedShape(absl::string_view name, int64_t channels,
                                            int64_t height, int64_t width, v1::PixelType type);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_READER_BASE_H_
