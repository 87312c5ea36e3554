// Elastic transform: a random affine map, then a random smooth displacement of every pixel (after
// Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual
// document analysis", ICDAR 2003).
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

constexpr double kTruncate = 3;

// The affine map that moves three points around the centre, each coordinate by up to `reach`
// pixels. OpenCV warps, as it did for the published files: its sample positions are rounded to 1/32
// of a pixel.
cv::Mat AffineWarp(const Image& image, double reach, RandomStream& random) {
  const cv::Mat bytes(image.height, image.width, CV_8UC(image.channels),
                      const_cast<uint8_t*>(image.pixels.data()));
  cv::Mat unit;
  bytes.convertTo(unit, CV_32F, 1 / 255.0);
  const auto x = static_cast<float>(image.width / 2);
  const auto y = static_cast<float>(image.height / 2);
  // At least one pixel, so that the points of the smallest images do not coincide.
  const auto side = static_cast<float>(std::max(1, std::min(image.height, image.width) / 3));
  const std::array<cv::Point2f, 3> from = {cv::Point2f(x + side, y + side),
                                           cv::Point2f(x + side, y - side),
                                           cv::Point2f(x - side, y - side)};
  std::array<cv::Point2f, 3> to = from;
  for (cv::Point2f& point : to) {
    point.x += static_cast<float>(random.Uniform(-reach, reach));
    point.y += static_cast<float>(random.Uniform(-reach, reach));
  }
  cv::Mat warped;
  cv::warpAffine(unit, warped, cv::getAffineTransform(from.data(), to.data()), unit.size(),
                 cv::INTER_LINEAR, cv::BORDER_REFLECT_101);
  return warped;
}

// Displacements in pixels: uniform noise in [-1, 1), smoothed, times `alpha`.
std::vector<float> Displacements(double alpha, double sigma, int height, int width,
                                 RandomStream& random) {
  std::vector<float> smooth(static_cast<size_t>(height) * static_cast<size_t>(width), 0.0F);
  if (alpha == 0) return smooth;
  std::vector<uint32_t> bits(smooth.size());
  random.FillBits(bits.data(), bits.size());
  std::vector<float> noise(smooth.size());
  std::transform(bits.begin(), bits.end(), noise.begin(), [](uint32_t word) {
    return static_cast<float>(static_cast<int32_t>(word)) * 0x1p-31F;
  });
  GaussianFilter(noise.data(), height, width, 1, sigma, kTruncate, Border::kReflect, smooth.data());
  for (float& value : smooth) value *= static_cast<float>(alpha);
  return smooth;
}

// The two pixels around a position, the image continued by reflection at its edges, and the weight
// of the second.
struct Neighbours {
  size_t low;
  size_t high;
  float weight;
};

Neighbours Around(float position, int size) {
  const float floor = std::floor(position);
  const int low = static_cast<int>(floor);
  return {static_cast<size_t>(BorderIndex(low, size, Border::kReflect)),
          static_cast<size_t>(BorderIndex(low + 1, size, Border::kReflect)), position - floor};
}

}  // namespace

void ElasticTransform(const CorruptionContext& context, RandomStream& random, Image& image) {
  const ElasticParameters c = Select(kElasticTransform, context);
  const double side = kElasticSide.at(static_cast<size_t>(context.table));
  const cv::Mat warped = AffineWarp(image, c.affine * side, random);
  const std::vector<float> dx =
      Displacements(c.alpha * side, c.sigma * side, image.height, image.width, random);
  const std::vector<float> dy =
      Displacements(c.alpha * side, c.sigma * side, image.height, image.width, random);
  const auto channels = static_cast<size_t>(image.channels);
  uint8_t* out = image.pixels.data();
  size_t i = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x, ++i) {
      const Neighbours row = Around(static_cast<float>(y) + dy[i], image.height);
      const Neighbours column = Around(static_cast<float>(x) + dx[i], image.width);
      const float* upper = warped.ptr<float>(static_cast<int>(row.low));
      const float* lower = warped.ptr<float>(static_cast<int>(row.high));
      const size_t left = column.low * channels;
      const size_t right = column.high * channels;
      for (size_t channel = 0; channel < channels; ++channel) {
        const float above =
            upper[left + channel] * (1 - column.weight) + upper[right + channel] * column.weight;
        const float below =
            lower[left + channel] * (1 - column.weight) + lower[right + channel] * column.weight;
        *out++ = TruncateToByte(double{above * (1 - row.weight) + below * row.weight});
      }
    }
  }
}

}  // namespace assay::corruptions
