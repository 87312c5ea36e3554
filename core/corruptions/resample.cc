#include "core/corruptions/resample.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/corruptions/gaussian_filter.h"

namespace assay::corruptions {
namespace {

// The pixel that stands for `index`, or -1 for black.
int Inside(int index, int size, Fill fill) {
  if (fill == Fill::kBlack) return index >= 0 && index < size ? index : -1;
  return BorderIndex(index, size, fill == Fill::kReflect ? Border::kReflect : Border::kNearest);
}

}  // namespace

Fill FillOf(Params& params) {
  const std::string name = params.Text("fill");
  if (name == "edge") return Fill::kEdge;
  return name == "black" ? Fill::kBlack : Fill::kReflect;
}

void Resample(const AffineMap& map, Fill fill, Image& image) {
  const Image from = image;
  const auto channels = static_cast<size_t>(image.channels);
  uint8_t* out = image.pixels.data();
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x, out += channels) {
      const double from_x = map.xx * x + map.xy * y + map.x0;
      const double from_y = map.yx * x + map.yy * y + map.y0;
      const double left = std::floor(from_x), top = std::floor(from_y);
      const std::array<double, 2> across = {1 - (from_x - left), from_x - left};
      const std::array<double, 2> down = {1 - (from_y - top), from_y - top};
      std::array<double, 4> sums{};  // of up to four channels
      for (size_t j = 0; j < 2; ++j) {
        const int row = Inside(static_cast<int>(top) + static_cast<int>(j), image.height, fill);
        for (size_t i = 0; i < 2; ++i) {
          const int column =
              Inside(static_cast<int>(left) + static_cast<int>(i), image.width, fill);
          if (row < 0 || column < 0) continue;
          const size_t pixel = static_cast<size_t>(row) * static_cast<size_t>(image.width) +
                               static_cast<size_t>(column);
          for (size_t c = 0; c < channels; ++c) {
            sums[c] += down[j] * across[i] * from.pixels[pixel * channels + c];
          }
        }
      }
      for (size_t c = 0; c < channels; ++c) out[c] = static_cast<uint8_t>(std::lround(sums[c]));
    }
  }
}

}  // namespace assay::corruptions
