#include "core/corruptions/spatial.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/corruptions/gaussian_filter.h"

namespace assay::corruptions {
namespace {

// Where an output pixel is taken from: x' = xx x + xy y + x0, and y' likewise.
struct Map {
  double xx = 1, xy = 0, x0 = 0;
  double yx = 0, yy = 1, y0 = 0;
};

// The pixel that stands for `index`, or -1 for black.
int Inside(int index, int size, Fill fill) {
  if (fill == Fill::kBlack) return index >= 0 && index < size ? index : -1;
  return BorderIndex(index, size, fill == Fill::kReflect ? Border::kReflect : Border::kNearest);
}

void Resample(const Map& map, Fill fill, Image& image) {
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

}  // namespace

void Rotate(double degrees, Fill fill, Image& image) {
  const double angle = degrees * (3.14159265358979323846 / 180);
  const double cosine = std::cos(angle), sine = std::sin(angle);
  const double x = (image.width - 1) / 2.0, y = (image.height - 1) / 2.0;
  // Rows count downwards.
  Resample({cosine, -sine, x - cosine * x + sine * y, sine, cosine, y - sine * x - cosine * y},
           fill, image);
}

void Translate(double x, double y, Fill fill, Image& image) {
  Resample({1, 0, -x * image.width, 0, 1, -y * image.height}, fill, image);
}

void Scale(double factor, Fill fill, Image& image) {
  const double x = (image.width - 1) / 2.0, y = (image.height - 1) / 2.0;
  Resample({1 / factor, 0, x - x / factor, 0, 1 / factor, y - y / factor}, fill, image);
}

void Crop(double keep, double x, double y, Image& image) {
  // Pixel centres: the window [a, a + keep W) onto [0, W).
  const auto offset = [keep](double share, int size) {
    return share * (1 - keep) * size + keep / 2 - 0.5;
  };
  Resample({keep, 0, offset(x, image.width), 0, keep, offset(y, image.height)}, Fill::kEdge, image);
}

void Flip(bool horizontal, bool vertical, Image& image) {
  const auto channels = static_cast<size_t>(image.channels);
  const auto width = static_cast<size_t>(image.width);
  const auto height = static_cast<size_t>(image.height);
  const Image from = image;
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width; ++x) {
      const size_t row = vertical ? height - 1 - y : y;
      const size_t column = horizontal ? width - 1 - x : x;
      std::copy_n(from.pixels.data() + (row * width + column) * channels, channels,
                  image.pixels.data() + (y * width + x) * channels);
    }
  }
}

void Occlude(Cover cover, const Area& area, Image& image) {
  const auto channels = static_cast<size_t>(image.channels);
  const auto width = static_cast<size_t>(image.width);
  for (size_t c = 0; c < channels; ++c) {
    uint8_t value = cover == Cover::kWhite ? 255 : cover == Cover::kGrey ? 128 : 0;
    if (cover == Cover::kMean) {
      double sum = 0;
      for (size_t i = c; i < image.pixels.size(); i += channels) sum += image.pixels[i];
      value = static_cast<uint8_t>(
          std::lround(sum * image.channels / static_cast<double>(image.pixels.size())));
    }
    for (auto y = static_cast<size_t>(area.top); y < static_cast<size_t>(area.bottom); ++y) {
      for (auto x = static_cast<size_t>(area.left); x < static_cast<size_t>(area.right); ++x) {
        image.pixels[(y * width + x) * channels + c] = value;
      }
    }
  }
}

Area GridCell(int grid, int cell, const Image& image) {
  const auto edge = [grid](int index, int size) {
    return static_cast<int>(int64_t{index} * size / grid);
  };
  const int row = cell / grid, column = cell % grid;
  return {edge(row, image.height), edge(row + 1, image.height), edge(column, image.width),
          edge(column + 1, image.width)};
}

}  // namespace assay::corruptions
