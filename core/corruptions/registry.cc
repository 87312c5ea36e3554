#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "core/corruptions/corruption.h"
#include "core/corruptions/methods.h"
#include "opencv2/core/utility.hpp"

namespace assay::corruptions {

const std::vector<Corruption>& AllCorruptions() {
  static const std::vector<Corruption> all = [] {
    // Samples are corrupted in parallel; OpenCV must not start threads of its own for large images
    // on top of that.
    cv::setNumThreads(0);
    return std::vector<Corruption>{
        {"gaussian_noise", GaussianNoise, true},
        {"shot_noise", ShotNoise, true},
        {"impulse_noise", ImpulseNoise, true},
        {"defocus_blur", DefocusBlur, true},
        {"glass_blur", GlassBlur, true},
        {"motion_blur", MotionBlur, true},
        {"zoom_blur", ZoomBlur, true},
        {"snow", Snow, false},
        {"frost", Frost, false, true},
        // Drawn; must never be taken for the published one.
        {"frost-procedural", FrostProcedural, false},
        {"fog", Fog, true},
        {"brightness", Brightness, true},
        {"contrast", Contrast, true},
        {"elastic_transform", ElasticTransform, true},
        {"pixelate", Pixelate, true},
        {"jpeg_compression", JpegCompression, true},
        {"speckle_noise", SpeckleNoise, true},
        {"gaussian_blur", GaussianBlur, true},
        {"spatter", Spatter, false},
        {"saturate", Saturate, false},
    };
  }();
  return all;
}

const Corruption* FindCorruption(absl::string_view name) {
  const std::vector<Corruption>& all = AllCorruptions();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Corruption& corruption) {
    return name == corruption.name;
  });
  return found == all.end() ? nullptr : &*found;
}

SeverityTable NearestTable(int height, int width) {
  constexpr std::pair<int, SeverityTable> kSides[] = {{32, SeverityTable::k32},
                                                      {64, SeverityTable::k64},
                                                      {224, SeverityTable::k224},
                                                      {299, SeverityTable::k299}};
  const int side = std::min(height, width);
  // Of two equally near, the first.
  return std::min_element(std::begin(kSides), std::end(kSides),
                          [&](const auto& a, const auto& b) {
                            return std::abs(a.first - side) < std::abs(b.first - side);
                          })
      ->second;
}

uint8_t TruncateToByte(double unit_value) {
  return static_cast<uint8_t>(std::clamp(unit_value, 0.0, 1.0) * 255.0);
}

}  // namespace assay::corruptions
