// Fog: a plasma fractal, the same for every channel, is added to the image, and the whole is scaled
// back.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/corruptions/tables.h"

namespace assay::corruptions {
namespace {

// A square of heights in [0, 1] that wraps around, by the diamond-square algorithm (Fournier,
// Fussell and Carpenter, CACM 25, 1982). `side` is a power of two. Every level halves the step; new
// points are the mean of their four neighbours plus noise that shrinks with `decay`.
std::vector<float> Plasma(int side, double decay, RandomStream& random) {
  const auto n = static_cast<size_t>(side);
  std::vector<float> map(n * n, 0.0F);
  std::vector<uint32_t> bits;
  const auto at = [&](size_t y, size_t x) -> float& { return map[y % n * n + x % n]; };
  double amplitude = 100;
  for (size_t step = n; step >= 2; step /= 2) {
    const size_t half = step / 2;
    const size_t points = (n / step) * (n / step);
    bits.resize(3 * points);
    random.FillBits(bits.data(), bits.size());
    size_t draw = 0;
    // The published script multiplies the amplitude with a uniform draw of that amplitude: it
    // enters squared.
    const auto scale = static_cast<float>(amplitude * amplitude * 0x1p-31);
    const auto moved = [&](float neighbours) {
      return neighbours / 4 + static_cast<float>(static_cast<int32_t>(bits[draw++])) * scale;
    };
    // Centres of squares; then, among corners and centres, the middles of horizontal and of
    // vertical edges.
    for (size_t y = 0; y < n; y += step) {
      for (size_t x = 0; x < n; x += step) {
        at(y + half, x + half) =
            moved(at(y, x) + at(y + step, x) + at(y, x + step) + at(y + step, x + step));
      }
    }
    for (size_t y = 0; y < n; y += step) {
      for (size_t x = 0; x < n; x += step) {
        at(y, x + half) =
            moved(at(y, x) + at(y, x + step) + at(y + half, x + half) + at(y + n - half, x + half));
      }
    }
    for (size_t y = 0; y < n; y += step) {
      for (size_t x = 0; x < n; x += step) {
        at(y + half, x) =
            moved(at(y, x) + at(y + step, x) + at(y + half, x + half) + at(y + half, x + n - half));
      }
    }
    amplitude /= decay;
  }
  const auto [lowest, highest] = std::minmax_element(map.begin(), map.end());
  const float low = *lowest;
  const float range = *highest - low;
  if (range > 0) {
    for (float& height : map) height = (height - low) / range;
  }
  return map;
}

}  // namespace

// (x + c plasma) m / (m + c), m the largest element of the image.
void Fog(const CorruptionContext& context, RandomStream& random, Image& image) {
  const FogParameters c = Select(kFog, context);
  int side = kFogMap[static_cast<size_t>(context.table)];
  while (side < std::max(image.height, image.width)) side *= 2;
  const std::vector<float> plasma = Plasma(side, c.decay, random);
  const auto channels = static_cast<size_t>(image.channels);
  const double largest = *std::max_element(image.pixels.begin(), image.pixels.end()) / 255.0;
  const auto weight = static_cast<float>(255 * c.weight);
  const auto scale = static_cast<float>(largest / (largest + c.weight));
  uint8_t* pixel = image.pixels.data();
  for (int y = 0; y < image.height; ++y) {
    const float* row = plasma.data() + static_cast<size_t>(y) * static_cast<size_t>(side);
    for (int x = 0; x < image.width; ++x) {
      for (size_t channel = 0; channel < channels; ++channel, ++pixel) {
        const float value = (static_cast<float>(*pixel) + weight * row[x]) * scale;
        *pixel = static_cast<uint8_t>(std::min(value, 255.0F));
      }
    }
  }
}

}  // namespace assay::corruptions
