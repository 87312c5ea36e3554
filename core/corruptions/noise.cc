// Additive and multiplicative noise, and salt and pepper. Every element (not pixel) draws for
// itself.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "core/corruptions/tables.h"

namespace assay::corruptions {
namespace {

// Elements are handled in runs, so that draws need no memory of the image's size.
constexpr size_t kRun = 3072;

// x := clip(f(x, z)), z standard normal times `deviation`.
template <typename Function>
void WithNormals(double deviation, RandomStream& random, Image& image, const Function& f) {
  std::array<float, kRun> normals;
  for (size_t start = 0; start < image.pixels.size(); start += kRun) {
    const size_t count = std::min(kRun, image.pixels.size() - start);
    random.FillNormal(static_cast<float>(deviation), normals.data(), count);
    uint8_t* pixels = image.pixels.data() + start;
    for (size_t i = 0; i < count; ++i) {
      // In 0 to 255, single precision: random draws leave nothing that a last bit could matter to.
      const float value = f(static_cast<float>(pixels[i]), normals[i]);
      pixels[i] = static_cast<uint8_t>(static_cast<int>(std::min(std::max(value, 0.0f), 255.0f)));
    }
  }
}

}  // namespace

// x + N(0, c).
void GaussianNoise(const CorruptionContext& context, RandomStream& random, Image& image) {
  WithNormals(Select(kGaussianNoise, context), random, image,
              [](float value, float noise) { return value + 255.0f * noise; });
}

// x + x N(0, c).
void SpeckleNoise(const CorruptionContext& context, RandomStream& random, Image& image) {
  WithNormals(Select(kSpeckleNoise, context), random, image,
              [](float value, float noise) { return value + value * noise; });
}

// A share c of the elements becomes 1 or 0, with equal probability.
void ImpulseNoise(const CorruptionContext& context, RandomStream& random, Image& image) {
  const auto hit = static_cast<uint32_t>(std::llround(Select(kImpulseNoise, context) * 0x1p32));
  const uint32_t salt = hit / 2;
  std::array<uint32_t, kRun> bits;
  for (size_t start = 0; start < image.pixels.size(); start += kRun) {
    const size_t count = std::min(kRun, image.pixels.size() - start);
    random.FillBits(bits.data(), count);
    uint8_t* pixels = image.pixels.data() + start;
    for (size_t i = 0; i < count; ++i) {
      const uint8_t unhit_or_pepper = bits[i] < hit ? uint8_t{0} : pixels[i];
      pixels[i] = bits[i] < salt ? uint8_t{255} : unhit_or_pepper;
    }
  }
}

}  // namespace assay::corruptions
