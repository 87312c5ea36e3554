// Occlusion: a square of the image in one colour. With a grid it is the cell, so that the whole
// image is covered here and the plan keeps one cell of it.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/corruptions/corruption.h"

namespace assay::corruptions {
namespace {

// What channel c of `image` is covered with.
uint8_t Cover(const std::string& color, size_t c, const Image& image) {
  if (color == "black") return 0;
  if (color == "white") return 255;
  if (color != "mean") return 128;
  double sum = 0;
  for (size_t i = c; i < image.pixels.size(); i += static_cast<size_t>(image.channels)) {
    sum += image.pixels[i];
  }
  return static_cast<uint8_t>(
      std::lround(sum * image.channels / static_cast<double>(image.pixels.size())));
}

}  // namespace

absl::StatusOr<Step> Occlusion(Params& params, const Setting&) {
  return [color = params.Text("color"), size = params.Number("size"),
          whole = params.Integer("grid") > 1](const Progress&, RandomStream& random, Image& image) {
    int height = image.height, width = image.width, top = 0, left = 0;
    if (!whole) {
      const int smaller = std::min(height, width);
      const int side = std::clamp(static_cast<int>(std::lround(size * smaller)), 1, smaller);
      top = static_cast<int>(random.Below(static_cast<uint32_t>(height - side + 1)));
      left = static_cast<int>(random.Below(static_cast<uint32_t>(width - side + 1)));
      height = width = side;
    }
    const auto channels = static_cast<size_t>(image.channels);
    for (size_t c = 0; c < channels; ++c) {
      const uint8_t value = Cover(color, c, image);
      for (int y = top; y < top + height; ++y) {
        const size_t row = static_cast<size_t>(y) * static_cast<size_t>(image.width);
        for (int x = left; x < left + width; ++x) {
          image.pixels[(row + static_cast<size_t>(x)) * channels + c] = value;
        }
      }
    }
  };
}

}  // namespace assay::corruptions
