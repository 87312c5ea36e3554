// Frost: a random part of one of five photographs over the image.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/base/errors.h"
#include "core/corruptions/frost_files.h"
#include "core/corruptions/frost_photographs.h"
#include "core/corruptions/tables.h"
#include "opencv2/imgproc.hpp"

namespace assay::corruptions {
namespace {

// The published scripts fail on images that are larger than a photograph. Here it is enlarged until
// it covers the image.
Image Covering(const Image& photograph, int height, int width) {
  const double factor = std::max(static_cast<double>(height) / photograph.height,
                                 static_cast<double>(width) / photograph.width);
  const cv::Mat from(photograph.height, photograph.width, CV_8UC3,
                     const_cast<uint8_t*>(photograph.pixels.data()));
  cv::Mat to;
  cv::resize(from, to,
             cv::Size(std::max(width, static_cast<int>(std::lround(photograph.width * factor))),
                      std::max(height, static_cast<int>(std::lround(photograph.height * factor)))),
             0, 0, cv::INTER_LINEAR);
  return {to.rows, to.cols, 3, std::vector<uint8_t>(to.datastart, to.dataend)};
}

// Where a window of `size` begins; as in the published scripts, never at the very end.
size_t Offset(int whole, int size, RandomStream& random) {
  return random.Below(static_cast<uint32_t>(std::max(1, whole - size)));
}

// a x + b frost.
void LayOver(const FrostPhotographs& photographs, const CorruptionContext& context,
             RandomStream& random, Image& image) {
  const FrostParameters c = Select(kFrost, context);
  const Image* photograph = &photographs.Get(
      context.table, random.Below(static_cast<uint32_t>(FrostPhotographs::kCount)));
  Image larger;
  if (photograph->height < image.height || photograph->width < image.width) {
    larger = Covering(*photograph, image.height, image.width);
    photograph = &larger;
  }
  const size_t top = Offset(photograph->height, image.height, random);
  const size_t left = Offset(photograph->width, image.width, random);
  const size_t row = 3 * static_cast<size_t>(image.width);
  uint8_t* pixel = image.pixels.data();
  for (size_t y = 0; y < static_cast<size_t>(image.height); ++y) {
    const uint8_t* frost =
        photograph->pixels.data() + 3 * ((top + y) * static_cast<size_t>(photograph->width) + left);
    for (size_t i = 0; i < row; ++i, ++pixel) {
      const double mixed = c.image_weight * *pixel + c.frost_weight * frost[i];
      *pixel = static_cast<uint8_t>(std::min(mixed, 255.0));
    }
  }
}

}  // namespace

absl::StatusOr<Step> Frost(Params& params, const Setting& setting) {
  if (setting.frost == nullptr) {
    return Error(Reason::kInvalidCondition, kFrostNeedsPhotographs).ToStatus();
  }
  return BySeverity([photographs = setting.frost](
                        const CorruptionContext& context, RandomStream& random,
                        Image& image) { LayOver(*photographs, context, random, image); },
                    params, setting);
}

}  // namespace assay::corruptions
