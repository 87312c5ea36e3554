// Pixelation: Pillow's BOX resize down and back up.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/corruptions/tables.h"

namespace assay::corruptions {
namespace {

constexpr int kWeightBits = 22;

// The input pixels that make one output pixel, and their weights in units of 2^-22.
struct Cell {
  size_t first = 0;
  std::vector<int32_t> weights;
};

// Pixels whose centre lies in the cell count alike; cells are at least one pixel wide.
std::vector<Cell> BoxCells(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  const double width = std::max(scale, 1.0);
  std::vector<Cell> cells(static_cast<size_t>(out));
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - width / 2 + 0.5));
    const int end = std::min(in, static_cast<int>(centre + width / 2 + 0.5));
    std::vector<int> inside;
    for (int x = first; x < end; ++x) {
      const double position = (x - centre + 0.5) / width;
      inside.push_back(position > -0.5 && position <= 0.5 ? 1 : 0);
    }
    const auto count = static_cast<double>(std::count(inside.begin(), inside.end(), 1));
    Cell& cell = cells[static_cast<size_t>(i)];
    cell.first = static_cast<size_t>(first);
    for (int hit : inside) {
      cell.weights.push_back(static_cast<int32_t>(0.5 + hit / count * (1 << kWeightBits)));
    }
  }
  return cells;
}

uint8_t Round(int32_t sum) {
  return static_cast<uint8_t>(std::clamp((sum + (1 << (kWeightBits - 1))) >> kWeightBits, 0, 255));
}

// Rows first, then columns, with bytes between; a pass that would keep the size is left out.
void BoxResize(int height, int width, Image& image) {
  const auto channels = static_cast<size_t>(image.channels);
  if (width != image.width) {
    const std::vector<Cell> cells = BoxCells(image.width, width);
    std::vector<uint8_t> resized(static_cast<size_t>(image.height) * cells.size() * channels);
    uint8_t* to = resized.data();
    for (size_t y = 0; y < static_cast<size_t>(image.height); ++y) {
      const uint8_t* row = image.pixels.data() + y * static_cast<size_t>(image.width) * channels;
      for (const Cell& cell : cells) {
        for (size_t c = 0; c < channels; ++c) {
          const uint8_t* from = row + cell.first * channels + c;
          int32_t sum = 0;
          for (size_t k = 0; k < cell.weights.size(); ++k) {
            sum += cell.weights[k] * from[k * channels];
          }
          *to++ = Round(sum);
        }
      }
    }
    image.pixels = std::move(resized);
    image.width = width;
  }
  if (height != image.height) {
    const std::vector<Cell> cells = BoxCells(image.height, height);
    const size_t row = static_cast<size_t>(image.width) * channels;
    std::vector<uint8_t> resized(cells.size() * row);
    std::vector<int32_t> sums(row);
    uint8_t* to = resized.data();
    for (const Cell& cell : cells) {
      std::fill(sums.begin(), sums.end(), 0);
      for (size_t k = 0; k < cell.weights.size(); ++k) {
        const uint8_t* from = image.pixels.data() + (cell.first + k) * row;
        for (size_t i = 0; i < row; ++i) sums[i] += cell.weights[k] * from[i];
      }
      for (size_t i = 0; i < row; ++i) *to++ = Round(sums[i]);
    }
    image.pixels = std::move(resized);
    image.height = height;
  }
}

}  // namespace

void Pixelate(const CorruptionContext& context, RandomStream&, Image& image) {
  const double scale = Select(kPixelate, context);
  const int height = image.height;
  const int width = image.width;
  const auto scaled = [scale](int side) { return std::max(1, static_cast<int>(side * scale)); };
  BoxResize(scaled(height), scaled(width), image);
  BoxResize(height, width, image);
}

}  // namespace assay::corruptions
