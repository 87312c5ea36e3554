// Blurs that are one linear filter: Gaussian, defocus (a smoothed disk), and glass (two Gaussians
// around a local shuffle).
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/corruptions/gaussian_filter.h"
#include "core/corruptions/tables.h"
#include "opencv2/imgproc.hpp"

namespace assay::corruptions {
namespace {

constexpr double kTruncate = 4;  // scikit-image's default

// One Gaussian pass over the bytes of the image, truncated to bytes again.
void BlurBytes(double sigma, std::vector<double>& in, std::vector<double>& out, Image& image) {
  for (size_t i = 0; i < in.size(); ++i) in[i] = image.pixels[i] / 255.0;
  GaussianFilter(in.data(), image.height, image.width, image.channels, sigma, kTruncate,
                 Border::kNearest, out.data());
  for (size_t i = 0; i < out.size(); ++i) image.pixels[i] = TruncateToByte(out[i]);
}

struct Tap {
  int dy;
  int dx;
  double weight;
};

// The taps of a disk of ones whose edge is smoothed by a small Gaussian. OpenCV smooths it, as it
// did for the published files.
std::vector<Tap> DiskTaps(const DiskParameters& disk) {
  const int half = disk.radius <= 8 ? 8 : static_cast<int>(disk.radius);
  const int side = 2 * half + 1;
  const int smoothing = disk.radius <= 8 ? 3 : 5;
  cv::Mat kernel = cv::Mat::zeros(side, side, CV_32F);
  float sum = 0;
  for (int y = -half; y <= half; ++y) {
    for (int x = -half; x <= half; ++x) {
      if (x * x + y * y > disk.radius * disk.radius) continue;
      kernel.at<float>(y + half, x + half) = 1;
      sum += 1;
    }
  }
  for (int i = 0; i < side * side; ++i) kernel.at<float>(i / side, i % side) /= sum;
  cv::GaussianBlur(kernel, kernel, cv::Size(smoothing, smoothing), disk.alias_sigma);
  std::vector<Tap> taps;
  for (int y = -half; y <= half; ++y) {
    for (int x = -half; x <= half; ++x) {
      const auto weight = static_cast<double>(kernel.at<float>(y + half, x + half));
      // Below the last bit of any sum.
      if (weight > 1e-18) taps.push_back({y, x, weight});
    }
  }
  return taps;
}

// Computed once for the severities of the tables.
std::vector<Tap> DefocusTaps(const CorruptionContext& context) {
  if (context.severity != std::floor(context.severity)) {
    return DiskTaps(Select(kDefocusBlur, context));
  }
  static const Tables<std::vector<Tap>> all = [] {
    Tables<std::vector<Tap>> made;
    for (size_t table = 0; table < made.size(); ++table) {
      for (size_t severity = 0; severity < made[table].size(); ++severity) {
        made[table][severity] = DiskTaps(kDefocusBlur[table][severity]);
      }
    }
    return made;
  }();
  return all[static_cast<size_t>(context.table)][static_cast<size_t>(context.severity) - 1];
}

}  // namespace

void GaussianBlur(const CorruptionContext& context, RandomStream&, Image& image) {
  std::vector<double> in(image.pixels.size()), out(image.pixels.size());
  BlurBytes(Select(kGaussianBlur, context), in, out, image);
}

// The image is correlated with the disk; beyond the edge it continues mirrored, without repeating
// the edge.
void DefocusBlur(const CorruptionContext& context, RandomStream&, Image& image) {
  const std::vector<Tap> taps = DefocusTaps(context);
  int reach = 0;
  for (const Tap& tap : taps) reach = std::max({reach, std::abs(tap.dy), std::abs(tap.dx)});

  const auto channels = static_cast<size_t>(image.channels);
  const auto width = static_cast<size_t>(image.width + 2 * reach);
  const auto height = static_cast<size_t>(image.height + 2 * reach);
  const size_t row = static_cast<size_t>(image.width) * channels;
  const size_t padded_row = width * channels;
  std::vector<double> padded(height * padded_row), sums(row);
  const auto mirrored = [reach](size_t index, int size) {
    return static_cast<size_t>(
        cv::borderInterpolate(static_cast<int>(index) - reach, size, cv::BORDER_REFLECT_101));
  };
  for (size_t y = 0; y < height; ++y) {
    const uint8_t* from = image.pixels.data() + mirrored(y, image.height) * row;
    double* to = padded.data() + y * padded_row;
    for (size_t x = 0; x < width; ++x) {
      const uint8_t* pixel = from + mirrored(x, image.width) * channels;
      for (size_t c = 0; c < channels; ++c) to[x * channels + c] = pixel[c] / 255.0;
    }
  }
  for (int y = 0; y < image.height; ++y) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (const Tap& tap : taps) {
      const double* from = padded.data() + static_cast<size_t>(y + reach + tap.dy) * padded_row +
                           static_cast<size_t>(reach + tap.dx) * channels;
      for (size_t i = 0; i < row; ++i) sums[i] += from[i] * tap.weight;
    }
    uint8_t* to = image.pixels.data() + static_cast<size_t>(y) * row;
    for (size_t i = 0; i < row; ++i) to[i] = TruncateToByte(sums[i]);
  }
}

// Blur; then every pixel, from the lower right to the upper left, takes the colour of a random
// neighbour at most max_shift away; then blur again. The published script means to exchange the two
// pixels, but on numpy's views its statement copies one way, and that is what made the public
// files.
void GlassBlur(const CorruptionContext& context, RandomStream& random, Image& image) {
  const GlassParameters c = Select(kGlassBlur, context);
  std::vector<double> in(image.pixels.size()), out(image.pixels.size());
  BlurBytes(c.sigma, in, out, image);
  const auto channels = static_cast<size_t>(image.channels);
  const auto pixel = [&](int y, int x) {
    return image.pixels.data() +
           (static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x)) *
               channels;
  };
  const auto shifts = static_cast<uint32_t>(2 * c.max_shift);
  for (int pass = 0; pass < c.passes; ++pass) {
    for (int y = image.height - c.max_shift; y > c.max_shift; --y) {
      for (int x = image.width - c.max_shift; x > c.max_shift; --x) {
        // Both in [-max_shift, max_shift).
        const uint32_t shift = random.Below(shifts * shifts);
        const int dx = static_cast<int>(shift % shifts) - c.max_shift;
        const int dy = static_cast<int>(shift / shifts) - c.max_shift;
        std::copy_n(pixel(y + dy, x + dx), channels, pixel(y, x));
      }
    }
  }
  BlurBytes(c.sigma, in, out, image);
}

}  // namespace assay::corruptions
