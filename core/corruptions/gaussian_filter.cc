#include "core/corruptions/gaussian_filter.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace assay::corruptions {
namespace {

// numpy's sum of a contiguous array of at most 128 numbers: eight running sums, added in pairs,
// then the rest.
double PairwiseSum(const std::vector<double>& values) {
  const size_t whole = values.size() / 8 * 8;
  double sum = 0;
  if (whole > 0) {
    double r[8] = {};
    for (size_t i = 0; i < whole; i += 8) {
      for (size_t lane = 0; lane < 8; ++lane) r[lane] += values[i + lane];
    }
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  }
  for (size_t i = whole; i < values.size(); ++i) sum += values[i];
  return sum;
}

// out[i] = centre[i] * weight
template <typename T>
void Scale(const T* centre, T weight, size_t n, T* out) {
  for (size_t i = 0; i < n; ++i) out[i] = centre[i] * weight;
}

// out[i] += (left[i] + right[i]) * weight
template <typename T>
void AddPair(const T* left, const T* right, T weight, size_t n, T* out) {
  for (size_t i = 0; i < n; ++i) out[i] += (left[i] + right[i]) * weight;
}

// A reflected row repeats itself after twice its size, so taps that far apart meet the same pixel:
// folds a longer kernel to `size` taps on either side. Both ends are then the same pixel, and share
// its weight.
std::vector<double> Periodised(const std::vector<double>& half, int size) {
  const int radius = static_cast<int>(half.size()) - 1;
  if (radius <= size) return half;
  std::vector<double> folded(static_cast<size_t>(size) + 1, 0.0);
  for (int tap = -radius; tap <= radius; ++tap) {
    const int residue = (tap % (2 * size) + 2 * size) % (2 * size);
    if (residue <= size)
      folded[static_cast<size_t>(residue)] += half[static_cast<size_t>(std::abs(tap))];
  }
  folded.back() /= 2;
  return folded;
}

// The half kernel for an axis of `size` pixels.
template <typename T>
std::vector<T> AxisKernel(const std::vector<double>& half, int size, Border border) {
  const std::vector<double> taps = border == Border::kReflect ? Periodised(half, size) : half;
  std::vector<T> kernel;
  for (double weight : taps) kernel.push_back(static_cast<T>(weight));
  return kernel;
}

}  // namespace

int BorderIndex(int index, int size, Border border) {
  if (index >= 0 && index < size) return index;
  if (border == Border::kNearest) return std::clamp(index, 0, size - 1);
  const int period = 2 * size;
  const int phase = ((index % period) + period) % period;
  return phase < size ? phase : period - 1 - phase;
}

std::vector<double> GaussianHalfKernel(double sigma, double truncate) {
  const int radius = static_cast<int>(truncate * sigma + 0.5);
  std::vector<double> kernel;
  for (int x = -radius; x <= radius; ++x) {
    kernel.push_back(std::exp(-0.5 / (sigma * sigma) * static_cast<double>(x * x)));
  }
  const double sum = PairwiseSum(kernel);
  std::vector<double> half(kernel.begin() + radius, kernel.end());
  for (double& weight : half) weight /= sum;
  return half;
}

template <typename T>
void GaussianFilter(const T* in, int height, int width, int channels, double sigma, double truncate,
                    Border border, T* out) {
  const std::vector<double> half = GaussianHalfKernel(sigma, truncate);
  const std::vector<T> down = AxisKernel<T>(half, height, border);
  const std::vector<T> along = AxisKernel<T>(half, width, border);
  const int radius = static_cast<int>(along.size()) - 1;
  const auto step = static_cast<size_t>(channels);
  const size_t row = static_cast<size_t>(width) * step;
  const size_t margin = static_cast<size_t>(radius) * step;
  std::vector<T> padded(row + 2 * margin);
  T* const filtered = padded.data() + margin;
  const auto row_at = [&](int y) {
    return in + static_cast<size_t>(BorderIndex(y, height, border)) * row;
  };
  for (int y = 0; y < height; ++y) {
    // From the outermost pair inwards.
    Scale(row_at(y), down[0], row, filtered);
    for (int tap = static_cast<int>(down.size()) - 1; tap > 0; --tap) {
      AddPair(row_at(y - tap), row_at(y + tap), down[static_cast<size_t>(tap)], row, filtered);
    }
    for (int x = 1; x <= radius; ++x) {
      const auto left = static_cast<size_t>(BorderIndex(-x, width, border)) * step;
      const auto right = static_cast<size_t>(BorderIndex(width - 1 + x, width, border)) * step;
      const size_t distance = static_cast<size_t>(x) * step;
      std::copy_n(filtered + left, step, filtered - distance);
      std::copy_n(filtered + right, step, filtered + row - step + distance);
    }
    T* const result = out + static_cast<size_t>(y) * row;
    Scale(filtered, along[0], row, result);
    for (int tap = radius; tap > 0; --tap) {
      const size_t distance = static_cast<size_t>(tap) * step;
      AddPair(filtered - distance, filtered + distance, along[static_cast<size_t>(tap)], row,
              result);
    }
  }
}

template void GaussianFilter<float>(const float*, int, int, int, double, double, Border, float*);
template void GaussianFilter<double>(const double*, int, int, int, double, double, Border, double*);

}  // namespace assay::corruptions
