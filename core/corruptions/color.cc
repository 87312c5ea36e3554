// Brightness, contrast and saturation. Double precision, in the order of operations of the
// published scripts: they truncate to bytes, so a last bit decides a grey level.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "core/corruptions/tables.h"

namespace assay::corruptions {
namespace {

struct Hsv {
  double hue;  // [0, 1)
  double saturation;
  double value;
};

// The hexcone model; grey has hue and saturation 0.
Hsv ToHsv(double red, double green, double blue) {
  const double value = std::max({red, green, blue});
  const double delta = value - std::min({red, green, blue});
  if (delta == 0) return {0, 0, value};
  double sixths;
  // Where two channels are largest, the later one counts.
  if (blue == value) {
    sixths = 4 + (red - green) / delta;
  } else if (green == value) {
    sixths = 2 + (blue - red) / delta;
  } else {
    sixths = (green - blue) / delta;
  }
  const double hue = sixths / 6;
  return {hue - std::floor(hue), delta / value, value};
}

std::array<double, 3> ToRgb(const Hsv& hsv) {
  const double sector = std::floor(hsv.hue * 6);
  const double fraction = hsv.hue * 6 - sector;
  const double v = hsv.value;
  const double p = v * (1 - hsv.saturation);
  const double q = v * (1 - fraction * hsv.saturation);
  const double t = v * (1 - (1 - fraction) * hsv.saturation);
  switch (static_cast<int>(sector) % 6) {
    case 0:
      return {v, t, p};
    case 1:
      return {q, v, p};
    case 2:
      return {p, v, t};
    case 3:
      return {p, q, v};
    case 4:
      return {t, p, v};
    default:
      return {v, p, q};
  }
}

template <typename Function>
void InHsv(Image& image, const Function& change) {
  for (size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    uint8_t* pixel = image.pixels.data() + i;
    Hsv hsv = ToHsv(pixel[0] / 255.0, pixel[1] / 255.0, pixel[2] / 255.0);
    change(hsv);
    const std::array<double, 3> rgb = ToRgb(hsv);
    for (size_t channel = 0; channel < 3; ++channel) pixel[channel] = TruncateToByte(rgb[channel]);
  }
}

}  // namespace

// V + c. A grey image is its own V.
void Brightness(const CorruptionContext& context, RandomStream&, Image& image) {
  const double added = Select(kBrightness, context);
  if (image.channels == 1) {
    for (uint8_t& pixel : image.pixels) pixel = TruncateToByte(pixel / 255.0 + added);
    return;
  }
  InHsv(image, [&](Hsv& hsv) { hsv.value = std::clamp(hsv.value + added, 0.0, 1.0); });
}

// S * factor + offset.
void Saturate(const CorruptionContext& context, RandomStream&, Image& image) {
  const SaturationParameters c = Select(kSaturate, context);
  InHsv(image, [&](Hsv& hsv) {
    hsv.saturation = std::clamp(hsv.saturation * c.factor + c.offset, 0.0, 1.0);
  });
}

// (x - m) c + m, m the mean of the channel.
void Contrast(const CorruptionContext& context, RandomStream&, Image& image) {
  const double factor = Select(kContrast, context);
  const auto channels = static_cast<size_t>(image.channels);
  const size_t pixels = image.pixels.size() / channels;
  for (size_t channel = 0; channel < channels; ++channel) {
    double sum = 0;
    for (size_t i = channel; i < image.pixels.size(); i += channels) sum += image.pixels[i] / 255.0;
    const double mean = sum / static_cast<double>(pixels);
    std::array<uint8_t, 256> changed;
    for (size_t value = 0; value < 256; ++value) {
      changed[value] = TruncateToByte((static_cast<double>(value) / 255.0 - mean) * factor + mean);
    }
    for (size_t i = channel; i < image.pixels.size(); i += channels) {
      image.pixels[i] = changed[image.pixels[i]];
    }
  }
}

}  // namespace assay::corruptions
