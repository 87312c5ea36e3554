#include "client/data/reader_base.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "client/data/byte_source.h"
#include "core/base/errors.h"
#include "core/base/manifest.h"

namespace assay::client {

absl::Status ReaderBase::Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                              std::string* pixels) {
  if (first < 0 || count < 0 || first > size() || count > size() - first) {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat("samples ", first, " to ", first, "+", count, " of ", size()));
  }
  const size_t labels_before = labels->size(), pixels_before = pixels->size();
  labels->resize(labels_before + static_cast<size_t>(count));
  pixels->resize(pixels_before + static_cast<size_t>(count * image_bytes()));
  absl::Status status =
      ReadInto(first, count, labels->data() + labels_before, pixels->data() + pixels_before);
  if (!status.ok()) {
    labels->resize(labels_before);
    pixels->resize(pixels_before);
  } else if (first == watched_) {
    Watch(first, count, labels->data() + labels_before, pixels->data() + pixels_before);
  }
  return status;
}

void ReaderBase::Watch(int64_t first, int64_t count, const int32_t* labels, const char* pixels) {
  watched_ = first + count;
  for (int64_t i = 0; i < count; ++i) {
    labels_ascend_ = labels_ascend_ && labels[i] >= last_label_;
    last_label_ = labels[i];
    labels_seen_.insert(labels[i]);
  }
  const int64_t values = count * image_elements();
  if (pixel_type() == v1::UINT8) {
    unsigned char largest = 0;
    for (int64_t i = 0; i < values; ++i) {
      largest = std::max(largest, static_cast<unsigned char>(pixels[i]));
    }
    largest_pixel_ = std::max(largest_pixel_, static_cast<float>(largest));
    return;
  }
  for (int64_t i = 0; i < values; ++i) {
    float value = 0;
    std::memcpy(&value, pixels + i * int64_t{sizeof(value)}, sizeof(value));
    largest_pixel_ = std::max(largest_pixel_, value);
  }
}

std::vector<std::string> ReaderBase::Notes() const {
  std::vector<std::string> notes = info_.notes;
  AddNotes(&notes);
  if (watched_ == 0) return notes;
  AddLabelNotes(&notes);
  if (pixel_type() == v1::UINT8 && largest_pixel_ <= 1) {
    notes.push_back(
        "no pixel value is over 1, but uint8 images are 0 to 255, so all of these are black; if 1 "
        "stands for white, save them as float32, or 255 times as large");
  }
  // A little more, because divisions round.
  if (pixel_type() == v1::FLOAT32 && largest_pixel_ <= 1.0001F / 255) {
    notes.push_back(
        "no pixel value is over 1/255, but float images are 0 to 1, so all of these are black; "
        "they may have been divided by 255 twice");
  }
  return notes;
}

void ReaderBase::AddLabelNotes(std::vector<std::string>* notes) const {
  const int32_t lowest = *labels_seen_.begin(), highest = *labels_seen_.rbegin();
  // Names tell which label is which.
  if (watched_ == size() && lowest == 1 && highest > 1 && class_names().empty()) {
    notes->push_back(
        absl::StrCat("the labels are 1 to ", highest,
                     ", and no sample has label 0; if they count "
                     "from 1 they must be lowered by 1, because the first logit is label 0"));
  }
  const size_t classes = class_names().size();
  if (watched_ < size() && labels_ascend_ && labels_seen_.size() < classes) {
    notes->push_back(absl::StrCat("the first ", watched_, " of ", size(), " samples are of ",
                                  labels_seen_.size(), " of ", classes,
                                  " classes only, because the data are sorted by class"));
  }
}

int64_t ReaderBase::image_bytes() const { return image_elements() * PixelBytes(pixel_type()); }

absl::StatusOr<v1::ImageShape> CheckedShape(absl::string_view name, int64_t channels,
                                            int64_t height, int64_t width, v1::PixelType type) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  v1::DatasetManifest manifest;
  manifest.set_pixel_type(type);
  manifest.mutable_shape()->set_channels(static_cast<int32_t>(std::min(channels, kMost)));
  manifest.mutable_shape()->set_height(static_cast<int32_t>(std::min(height, kMost)));
  manifest.mutable_shape()->set_width(static_cast<int32_t>(std::min(width, kMost)));
  // One sample must fit in a chunk.
  v1::DatasetManifest::Chunk* chunk = manifest.add_chunks();
  chunk->set_digest(std::string(64, '0'));
  chunk->set_samples(1);
  const std::vector<FieldViolation> violations = CheckManifest(manifest, "manifest");
  if (!violations.empty()) {
    return Unreadable(name, absl::StrCat("images of ", channels, "x", height, "x", width,
                                         " (channels, height, width) cannot be used: ",
                                         violations[0].field, " ", violations[0].description));
  }
  return manifest.shape();
}

}  // namespace assay::client
