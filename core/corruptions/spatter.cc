// Spatter: drops of water or mud on the lens. Shapes are thresholded smooth noise; the shading of
// water uses the image operators of OpenCV that the published scripts used.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/corruptions/gaussian_filter.h"
#include "core/corruptions/tables.h"
#include "opencv2/imgproc.hpp"

namespace assay::corruptions {
namespace {

constexpr double kTruncate = 4;  // scikit-image's default

std::vector<float> SmoothNoise(const SpatterParameters& c, int height, int width,
                               RandomStream& random) {
  std::vector<float> noise(static_cast<size_t>(height) * static_cast<size_t>(width));
  random.FillNormal(static_cast<float>(c.deviation), noise.data(), noise.size());
  for (float& value : noise) value += static_cast<float>(c.mean);
  std::vector<float> smooth(noise.size());
  GaussianFilter(noise.data(), height, width, 1, c.sigma, kTruncate, Border::kNearest,
                 smooth.data());
  for (float& value : smooth) value = value < static_cast<float>(c.threshold) ? 0 : value;
  return smooth;
}

// How much of the water's colour each pixel gets: the depth of the liquid times a relief of its
// edges, at most `strength`.
std::vector<float> WaterMask(const std::vector<float>& layer, int height, int width,
                             double strength) {
  cv::Mat liquid(height, width, CV_8U);
  std::transform(layer.begin(), layer.end(), liquid.begin<uint8_t>(), [](float value) {
    // Above 1 the byte wraps around, as numpy's does.
    return static_cast<uint8_t>(static_cast<int>(value * 255.0F));
  });
  cv::Mat relief;
  cv::Canny(liquid, relief, 50, 150);
  relief = 255 - relief;
  cv::distanceTransform(relief, relief, cv::DIST_L2, 5);
  cv::threshold(relief, relief, 20, 20, cv::THRESH_TRUNC);
  cv::blur(relief, relief, cv::Size(3, 3));
  cv::Mat bytes(height, width, CV_8U);
  std::transform(relief.begin<float>(), relief.end<float>(), bytes.begin<uint8_t>(),
                 [](float value) { return static_cast<uint8_t>(value); });
  cv::equalizeHist(bytes, bytes);
  const cv::Mat slope = (cv::Mat_<float>(3, 3) << -2, -1, 0, -1, 1, 1, 0, 1, 2);
  cv::filter2D(bytes, bytes, CV_8U, slope);
  cv::blur(bytes, bytes, cv::Size(3, 3));

  std::vector<float> mask(layer.size());
  std::transform(liquid.begin<uint8_t>(), liquid.end<uint8_t>(), bytes.begin<uint8_t>(),
                 mask.begin(), [](uint8_t depth, uint8_t light) {
                   return static_cast<float>(depth) * static_cast<float>(light);
                 });
  const float largest = *std::max_element(mask.begin(), mask.end());
  // Without a drop there is nothing to scale.
  if (largest > 0) {
    for (float& value : mask) value = value / largest * static_cast<float>(strength);
  }
  return mask;
}

// 1 inside of the mud, with smooth rims.
std::vector<float> MudMask(std::vector<float> layer, const SpatterParameters& c, int height,
                           int width) {
  for (float& value : layer) value = value > static_cast<float>(c.threshold) ? 1.0F : 0.0F;
  std::vector<float> mask(layer.size());
  GaussianFilter(layer.data(), height, width, 1, c.strength, kTruncate, Border::kNearest,
                 mask.data());
  for (float& value : mask) value = value < 0.8F ? 0 : value;
  return mask;
}

}  // namespace

// Water: x + m pale turquoise. Mud: x (1 - m) + m brown.
void Spatter(const CorruptionContext& context, RandomStream& random, Image& image) {
  const SpatterParameters c = Select(kSpatter, context);
  std::vector<float> layer = SmoothNoise(c, image.height, image.width, random);
  const std::vector<float> mask = c.mud ? MudMask(std::move(layer), c, image.height, image.width)
                                        : WaterMask(layer, image.height, image.width, c.strength);
  constexpr std::array<float, 3> kWater = {175, 238, 238};
  constexpr std::array<float, 3> kMud = {63, 42, 20};
  const std::array<float, 3>& color = c.mud ? kMud : kWater;
  for (size_t i = 0; i < mask.size(); ++i) {
    const float kept = c.mud ? 1 - mask[i] : 1;
    for (size_t channel = 0; channel < 3; ++channel) {
      uint8_t& value = image.pixels[3 * i + channel];
      const float changed = static_cast<float>(value) * kept + mask[i] * color.at(channel);
      value = static_cast<uint8_t>(std::clamp(changed, 0.0F, 255.0F));
    }
  }
}

}  // namespace assay::corruptions
