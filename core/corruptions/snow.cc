// Snow: blurred flakes over a whitened image.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/corruptions/motion.h"
#include "core/corruptions/tables.h"
#include "core/corruptions/zoom.h"

namespace assay::corruptions {
namespace {

// Flakes: normal noise, enlarged, of which only what exceeds the threshold is kept, driven by the
// wind.
Image Flakes(const SnowParameters& c, int height, int width, RandomStream& random) {
  Image layer{height, width, 1, {}};
  const auto row = static_cast<size_t>(width);
  std::vector<float> noise(static_cast<size_t>(height) * row);
  random.FillNormal(static_cast<float>(c.deviation), noise.data(), noise.size());
  for (float& value : noise) value += static_cast<float>(c.mean);
  layer.pixels.reserve(noise.size());
  const ZoomAxis rows(height, c.zoom), columns(width, c.zoom);
  for (const ZoomAxis::Sample& y : rows.samples()) {
    const float* near = noise.data() + y.near * row;
    const float* far = noise.data() + y.far * row;
    for (const ZoomAxis::Sample& x : columns.samples()) {
      const double value =
          y.near_weight * (x.near_weight * near[x.near] + x.far_weight * near[x.far]) +
          y.far_weight * (x.near_weight * far[x.near] + x.far_weight * far[x.far]);
      layer.pixels.push_back(value < c.threshold ? uint8_t{0} : TruncateToByte(value));
    }
  }
  MotionFilter(c.radius, c.sigma, random.Uniform(-135, -45), layer);
  return layer;
}

}  // namespace

// mix x + (1 - mix) max(x, 1.5 grey(x) + 0.5) + flakes + flakes turned by 180 degrees.
void Snow(const CorruptionContext& context, RandomStream& random, Image& image) {
  const SnowParameters c = Select(kSnow, context);
  const Image flakes = Flakes(c, image.height, image.width, random);
  const auto mix = static_cast<float>(c.mix);
  const size_t pixels = flakes.pixels.size();
  for (size_t i = 0; i < pixels; ++i) {
    uint8_t* rgb = image.pixels.data() + 3 * i;
    const float grey = 0.299F * rgb[0] + 0.587F * rgb[1] + 0.114F * rgb[2];
    const float white = 1.5F * grey + 127.5F;
    const auto snow = static_cast<float>(flakes.pixels[i] + flakes.pixels[pixels - 1 - i]);
    for (size_t channel = 0; channel < 3; ++channel) {
      const auto value = static_cast<float>(rgb[channel]);
      const float whitened = mix * value + (1 - mix) * std::max(value, white);
      rgb[channel] = static_cast<uint8_t>(std::min(whitened + snow, 255.0F));
    }
  }
}

}  // namespace assay::corruptions
