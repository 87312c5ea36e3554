#include "core/corruptions/motion.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <vector>

#include "core/corruptions/tables.h"

namespace assay::corruptions {
namespace {

struct Tap {
  int dx;
  int dy;
  float weight;
};

std::vector<Tap> MotionTaps(double radius, double sigma, double angle_degrees) {
  const int width = 2 * static_cast<int>(std::ceil(radius)) + 1;
  const double angle = angle_degrees * (3.14159265358979323846 / 180);
  const auto gaussian = [&](int i) { return std::exp(-i * i / (2 * sigma * sigma)); };
  double sum = 0;
  for (int i = 0; i < width; ++i) sum += gaussian(i);
  std::vector<Tap> taps;
  for (int i = 0; i < width; ++i) {
    const double weight = gaussian(i) / sum;
    // All further taps together could not move a byte.
    constexpr double kNegligible = 1e-6;
    if (weight < kNegligible) break;
    const int dx = static_cast<int>(std::ceil(i * std::cos(angle) - 0.5));
    const int dy = static_cast<int>(std::ceil(i * std::sin(angle) - 0.5));
    taps.push_back({dx, dy, static_cast<float>(weight)});
  }
  return taps;
}

// ImageMagick's result is rounded to 16 bits (257 units to a grey level), and those are truncated
// to 8 when it writes the PNG.
uint8_t ThroughQuantum(float value) {
  const int quantum = static_cast<int>(value * 257.0F + 0.5F);
  return static_cast<uint8_t>(std::min(quantum / 257, 255));
}

}  // namespace

void MotionFilter(double radius, double sigma, double angle_degrees, Image& image) {
  const std::vector<Tap> taps = MotionTaps(radius, sigma, angle_degrees);
  int reach = 0;
  for (const Tap& tap : taps) reach = std::max(reach, std::abs(tap.dx));

  const auto channels = static_cast<size_t>(image.channels);
  const auto height = static_cast<size_t>(image.height);
  const size_t row = static_cast<size_t>(image.width) * channels;
  const size_t margin = static_cast<size_t>(reach) * channels;
  const size_t padded_row = row + 2 * margin;
  std::vector<float> padded(height * padded_row), sums(row);
  for (size_t y = 0; y < height; ++y) {
    const uint8_t* from = image.pixels.data() + y * row;
    float* to = padded.data() + y * padded_row;
    for (size_t i = 0; i < margin; ++i) {
      to[i] = from[i % channels];
      to[margin + row + i] = from[row - channels + i % channels];
    }
    for (size_t i = 0; i < row; ++i) to[margin + i] = from[i];
  }
  for (int y = 0; y < image.height; ++y) {
    std::fill(sums.begin(), sums.end(), 0.0F);
    for (const Tap& tap : taps) {
      const auto source = static_cast<size_t>(std::clamp(y + tap.dy, 0, image.height - 1));
      const float* from =
          padded.data() + source * padded_row + static_cast<size_t>(reach + tap.dx) * channels;
      for (size_t i = 0; i < row; ++i) sums[i] += from[i] * tap.weight;
    }
    uint8_t* to = image.pixels.data() + static_cast<size_t>(y) * row;
    for (size_t i = 0; i < row; ++i) to[i] = ThroughQuantum(sums[i]);
  }
}

void MotionBlur(const CorruptionContext& context, RandomStream& random, Image& image) {
  const MotionParameters c = Select(kMotionBlur, context);
  MotionFilter(c.radius, c.sigma, random.Uniform(-45, 45), image);
}

}  // namespace assay::corruptions
