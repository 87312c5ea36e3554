// Frost, drawn instead of photographed. The published frost lays one of five photographs over the
// image; they are not ours to ship. This one lays a texture over it that has the photographs'
// colours, contrast and grain, under a name of its own, so that the two are never confused.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/corruptions/gaussian_filter.h"
#include "core/corruptions/motion.h"
#include "core/corruptions/tables.h"

namespace assay::corruptions {
namespace {

// Mean and standard deviation of the channels of each published photograph (two are the same
// picture).
struct Tint {
  std::array<float, 3> mean;
  std::array<float, 3> deviation;
};
constexpr std::array<Tint, 5> kTints = {{{{78, 149, 166}, {27, 16, 15}},
                                         {{201, 205, 215}, {21, 22, 23}},
                                         {{201, 205, 215}, {21, 22, 23}},
                                         {{138, 153, 165}, {29, 29, 30}},
                                         {{112, 123, 135}, {44, 43, 42}}}};

// The published scripts shrink the photographs for small images.
constexpr std::array<double, 4> kPhotographScale = {0.2, 0.3, 1, 1};

// Standard normals, smoothed and brought back to variance `share`, added to `texture`.
class Texture {
 public:
  Texture(int height, int width)
      : height_(height),
        width_(width),
        sum_(static_cast<size_t>(height) * static_cast<size_t>(width)) {}

  // Round grains of a size in pixels.
  void AddGrains(double sigma, double share, RandomStream& random) {
    const std::vector<float> noise = Noise(1, random);
    std::vector<float> smooth(noise.size());
    GaussianFilter(noise.data(), height_, width_, 1, sigma, 3, Border::kReflect, smooth.data());
    Add(smooth, share / Energy(GaussianHalfKernel(sigma, 3)));
  }

  // Needles of a length in pixels, in one random direction.
  void AddNeedles(double length, double share, RandomStream& random) {
    constexpr float kGrey = 128;
    Image layer{height_, width_, 1, {}};
    for (float value : Noise(40, random)) {
      layer.pixels.push_back(static_cast<uint8_t>(std::clamp(kGrey + value, 0.0F, 255.0F)));
    }
    MotionFilter(length, length, random.Uniform(-180, 180), layer);
    std::vector<float> smeared(layer.pixels.size());
    double squares = 0;
    for (size_t i = 0; i < smeared.size(); ++i) {
      smeared[i] = static_cast<float>(layer.pixels[i]) - kGrey;
      squares += static_cast<double>(smeared[i] * smeared[i]);
    }
    const double variance = squares / static_cast<double>(smeared.size());
    if (variance > 0) Add(smeared, share / variance);
  }

  const std::vector<float>& sum() const { return sum_; }

 private:
  std::vector<float> Noise(float deviation, RandomStream& random) const {
    std::vector<float> noise(sum_.size());
    random.FillNormal(deviation, noise.data(), noise.size());
    return noise;
  }

  // The variance that filtering white noise with a half kernel along both axes leaves.
  static double Energy(const std::vector<double>& half) {
    double energy = -half[0] * half[0];
    for (double weight : half) energy += 2 * weight * weight;
    return energy * energy;
  }

  void Add(const std::vector<float>& layer, double variance_factor) {
    const auto factor = static_cast<float>(std::sqrt(variance_factor));
    for (size_t i = 0; i < sum_.size(); ++i) sum_[i] += factor * layer[i];
  }

  int height_;
  int width_;
  std::vector<float> sum_;
};

}  // namespace

// a x + b frost.
void FrostProcedural(const CorruptionContext& context, RandomStream& random, Image& image) {
  const FrostParameters c = Select(kFrost, context);
  const double scale = kPhotographScale.at(static_cast<size_t>(context.table));
  const Tint& tint = kTints.at(random.Below(static_cast<uint32_t>(kTints.size())));
  // Shares and sizes (in pixels of a photograph) give neighbouring pixels about the photographs'
  // correlation.
  Texture texture(image.height, image.width);
  texture.AddGrains(0.4 * scale, 0.25, random);
  texture.AddGrains(4 * scale, 0.2, random);
  texture.AddGrains(25 * scale, 0.25, random);
  texture.AddNeedles(20 * scale, 0.15, random);
  texture.AddNeedles(20 * scale, 0.15, random);
  for (size_t i = 0; i < texture.sum().size(); ++i) {
    for (size_t channel = 0; channel < 3; ++channel) {
      const float frost = std::clamp(
          tint.mean.at(channel) + tint.deviation.at(channel) * texture.sum()[i], 0.0F, 255.0F);
      uint8_t& value = image.pixels[3 * i + channel];
      const float mixed = static_cast<float>(c.image_weight) * static_cast<float>(value) +
                          static_cast<float>(c.frost_weight) * frost;
      value = static_cast<uint8_t>(std::min(mixed, 255.0F));
    }
  }
}

}  // namespace assay::corruptions
