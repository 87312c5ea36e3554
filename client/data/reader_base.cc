#include "client/data/reader_base.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "client/data/byte_source.h"
#include "common/errors.h"
#include "common/manifest.h"

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
  }
  return status;
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
