#include "core/corruptions/zoom.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/corruptions/tables.h"

namespace assay::corruptions {
namespace {

// numpy's arange(1, end, step)[i].
double Factor(double step, int i) {
  const double rounded_step = (1 + step) - 1;
  return i == 1 ? 1 + step : 1 + i * rounded_step;
}

}  // namespace

ZoomAxis::ZoomAxis(int size, double factor) {
  const int crop = static_cast<int>(std::ceil(size / factor));
  const int first = (size - crop) / 2;
  const int zoomed = std::max(size, static_cast<int>(std::nearbyint(crop * factor)));
  const int trim = (zoomed - size) / 2;
  const double scale = zoomed > 1 ? static_cast<double>(crop - 1) / (zoomed - 1) : 1.0;
  samples_.reserve(static_cast<size_t>(size));
  for (int i = 0; i < size; ++i) {
    // Rounding can put the last position beyond the last pixel (at 26 px and factor 1.75, for one;
    // at no published size), where scipy would find 0.
    const double position = std::min((i + trim) * scale, static_cast<double>(crop - 1));
    const int low = static_cast<int>(std::floor(position));
    const double weight = position - std::floor(position);
    samples_.push_back({static_cast<size_t>(first + low),
                        static_cast<size_t>(first + std::min(low + 1, crop - 1)), 1 - weight,
                        weight});
  }
}

// The mean of the image and of its zooms by 1, 1 + step, ...: the first factor is 1, so the image
// itself counts twice. Single precision sums of double precision interpolations, as in the
// published scripts.
void ZoomBlur(const CorruptionContext& context, RandomStream&, Image& image) {
  const ZoomParameters c = Select(kZoomBlur, context);
  const auto channels = static_cast<size_t>(image.channels);
  const size_t row = static_cast<size_t>(image.width) * channels;
  std::vector<double> unit(image.pixels.size()), upper(row), lower(row);
  std::vector<float> sums(image.pixels.size(), 0.0F);
  for (size_t i = 0; i < unit.size(); ++i) {
    unit[i] = static_cast<double>(static_cast<float>(image.pixels[i] / 255.0));
  }
  for (int i = 0; i < c.count; ++i) {
    const double factor = Factor(c.step, i);
    const ZoomAxis rows(image.height, factor), columns(image.width, factor);
    float* sum = sums.data();
    for (const ZoomAxis::Sample& y : rows.samples()) {
      const double* near = unit.data() + y.near * row;
      const double* far = unit.data() + y.far * row;
      for (size_t k = 0; k < row; ++k) {
        upper[k] = near[k] * y.near_weight;
        lower[k] = far[k] * y.far_weight;
      }
      for (const ZoomAxis::Sample& x : columns.samples()) {
        const size_t left = x.near * channels;
        const size_t right = x.far * channels;
        for (size_t channel = 0; channel < channels; ++channel) {
          *sum++ += static_cast<float>(
              upper[left + channel] * x.near_weight + upper[right + channel] * x.far_weight +
              lower[left + channel] * x.near_weight + lower[right + channel] * x.far_weight);
        }
      }
    }
  }
  const auto divisor = static_cast<float>(c.count + 1);
  for (size_t i = 0; i < sums.size(); ++i) {
    const float mean = (static_cast<float>(unit[i]) + sums[i]) / divisor;
    image.pixels[i] = static_cast<uint8_t>(std::clamp(mean, 0.0F, 1.0F) * 255.0F);
  }
}

}  // namespace assay::corruptions
