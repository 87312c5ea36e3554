#include "server/engine/certification/noise.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/conditions/smoothing_setting.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay::engine {
namespace {

std::unique_ptr<Noise> NoiseOf(const std::string& expression) {
  return MakeNoise(*ParseSmoothingSetting(ParseConditions({expression})->at(0)));
}

std::vector<float> Noisy(const Noise& noise, const std::vector<float>& image, uint32_t draw) {
  std::vector<float> out(image.size());
  noise.Draw(RandomKey(3, "smoothing"), 5, draw, image.data(), out.data(), out.size());
  return out;
}

double Phi(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// The largest distance between the empirical and the given distribution function: below
// sqrt(ln(2/1e-6) / (2n)) but for once in a million.
void ExpectDistribution(std::vector<float> values, const std::function<double(double)>& cdf) {
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  const double allowed = std::sqrt(std::log(2e6) / (2 * n));
  for (size_t i = 0; i < values.size(); i += 97) {
    ASSERT_NEAR(static_cast<double>(i) / n, cdf(values[i]), allowed + 1 / n) << values[i];
  }
}

TEST(Noise, HasItsDistribution) {
  const std::vector<float> grey(200'000, 0.5F);
  ExpectDistribution(Noisy(*NoiseOf("smoothing/gaussian:sigma=0.3"), grey, 0),
                     [](double x) { return Phi((x - 0.5) / 0.3); });
  ExpectDistribution(Noisy(*NoiseOf("smoothing/uniform:lambda=0.3"), grey, 0),
                     [](double x) { return (x - 0.2) / 0.6; });
  ExpectDistribution(Noisy(*NoiseOf("smoothing/laplace:lambda=0.3"), grey, 0), [](double x) {
    const double tail = 0.5 * std::exp(-std::abs(x - 0.5) / 0.3);
    return x < 0.5 ? tail : 1 - tail;
  });
}

TEST(Noise, PixelsAndDrawsAreIndependent) {
  for (const char* expression : {"smoothing/gaussian", "smoothing/uniform", "smoothing/laplace",
                                 "smoothing/gaussian:sound=yes"}) {
    const std::vector<float> black(100'000, 0.0F);
    const auto noise = NoiseOf(expression);
    const std::vector<float> a = Noisy(*noise, black, 0), b = Noisy(*noise, black, 1);
    const auto correlation = [&](const std::vector<float>& x, const std::vector<float>& y,
                                 size_t lag) {
      double xy = 0, xx = 0, yy = 0;
      for (size_t i = lag; i < x.size(); ++i) {
        xy += static_cast<double>(x[i - lag]) * y[i];
        xx += static_cast<double>(x[i - lag]) * x[i - lag];
        yy += static_cast<double>(y[i]) * y[i];
      }
      return xy / std::sqrt(xx * yy);
    };
    EXPECT_LT(std::abs(correlation(a, b, 0)), 0.016) << expression;
    for (const size_t lag : {1, 2, 64, 128, 256}) {
      EXPECT_LT(std::abs(correlation(a, a, lag)), 0.016) << expression << " " << lag;
    }
  }
}

TEST(Noise, IsAddedToThePixelAndNotClipped) {
  for (const char* expression : {"smoothing/gaussian", "smoothing/uniform", "smoothing/laplace"}) {
    const auto noise = NoiseOf(expression);
    const std::vector<float> black(500, 0.0F), white(500, 1.0F);
    const std::vector<float> a = Noisy(*noise, black, 7), b = Noisy(*noise, white, 7);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(b[i] - a[i], 1, 1e-6) << expression;
    EXPECT_LT(*std::min_element(a.begin(), a.end()), -0.1F) << expression;
  }
}

TEST(SoundNoise, IsGaussianNoiseRoundedToTheGrid) {
  // Cut at 0 - k and 1 + k; k = 1 for sigma up to 1/3.
  const std::vector<float> image(300'000, 100.0F / 255);
  const std::vector<float> noisy =
      Noisy(*NoiseOf("smoothing/gaussian:sigma=0.25,sound=yes"), image, 0);
  std::vector<double> counts(766);
  for (const float value : noisy) {
    const double grid = value * 255.0;
    ASSERT_NEAR(grid, std::round(grid), 1e-4);
    ASSERT_GE(value, -1.0F);
    ASSERT_LE(value, 2.0F);
    ++counts[static_cast<size_t>(std::lround(grid) + 255)];
  }
  const double n = static_cast<double>(noisy.size());
  const double unit = 255 * 0.25;
  double chi_square = 0;
  int cells = 0;
  for (int m = -255; m <= 510; ++m) {
    const double p = Phi((m + 0.5 - 100) / unit) - Phi((m - 0.5 - 100) / unit);
    if (n * p < 20) continue;
    const double difference = counts[static_cast<size_t>(m + 255)] - n * p;
    chi_square += difference * difference / (n * p);
    ++cells;
  }
  // Mean `cells`, standard deviation sqrt(2 cells).
  EXPECT_GT(cells, 350);
  EXPECT_NEAR(chi_square, cells, 5 * std::sqrt(2.0 * cells));
}

TEST(SoundNoise, CutsAtTheDocumentedRange) {
  for (const float pixel : {0.0F, 1.0F}) {
    const std::vector<float> noisy = Noisy(*NoiseOf("smoothing/gaussian:sigma=1,sound=yes"),
                                           std::vector<float>(300'000, pixel), 0);
    const auto [low, high] = std::minmax_element(noisy.begin(), noisy.end());
    EXPECT_GE(*low, -6.0F);
    EXPECT_LE(*high, 7.0F);
    EXPECT_NEAR(*high - *low, 9, 1.5);
  }
}

// The table look-up against a search among steps computed here. At this sigma some words need
// their lower half.
TEST(SoundNoise, ComparesAll64BitsWithTheSteps) {
  constexpr int kRange = 255 * 601;  // sigma 100: k = 600
  std::vector<uint64_t> steps;
  for (int m = 1 - kRange; m <= kRange; ++m) {
    const long double tail = 0.5L * std::erfc(std::abs(m - 0.5L) / 25500 / std::sqrt(2.0L));
    const auto step = static_cast<uint64_t>(std::round(std::ldexp(tail, 64)));
    steps.push_back(m <= 0 ? step : step == 0 ? UINT64_MAX : uint64_t{0} - step);
  }
  const std::vector<float> black(400'000, 0.0F);
  const std::vector<float> noisy =
      Noisy(*NoiseOf("smoothing/gaussian:sigma=100,sound=yes"), black, 2);
  RandomStream random(RandomKey(3, "smoothing"), 5, 2);
  std::vector<uint32_t> low(black.size());
  RandomStream(RandomKey(3, "smoothing"), 5, 2 | 0x80000000).FillBits(low.data(), low.size());
  std::vector<uint32_t> bits(256);
  int by_the_lower_half = 0;
  for (size_t i = 0; i < black.size(); ++i) {
    if (i % 256 == 0) random.FillBits(bits.data(), 256);
    const uint64_t high = uint64_t{bits[i % 256]} << 32;
    const auto passed = [&](uint64_t value) {
      return std::upper_bound(steps.begin(), steps.end(), value) - steps.begin();
    };
    by_the_lower_half += passed(high) != passed(high | UINT32_MAX) ? 1 : 0;
    ASSERT_EQ(std::lround(noisy[i] * 255.0), passed(high | low[i]) - kRange) << i;
  }
  EXPECT_GT(by_the_lower_half, 5);
}

TEST(SoundNoise, RefusesImagesThatAreNotOnTheGrid) {
  const auto noise = NoiseOf("smoothing/gaussian:sound=yes");
  const std::vector<float> bytes = {0, 3.0F / 255, 1}, other = {0, 0.3F, 0.301F};
  EXPECT_TRUE(noise->Check(bytes.data(), bytes.size()).ok());
  EXPECT_EQ(ReasonOf(noise->Check(other.data(), other.size())), Reason::kInvalidDataset);
  EXPECT_TRUE(NoiseOf("smoothing/gaussian")->Check(other.data(), other.size()).ok());
}

}  // namespace
}  // namespace assay::engine
