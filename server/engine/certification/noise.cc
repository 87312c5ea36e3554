#include "server/engine/certification/noise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

// This file is compiled with -ffp-contract=off, so that a draw is the same on every machine.

namespace assay::engine {
namespace {

// Random words are taken in pieces of this many, which is what the generator makes at once.
constexpr size_t kPiece = 256;

class GaussianNoise final : public Noise {
 public:
  explicit GaussianNoise(double sigma) : sigma_(static_cast<float>(sigma)) {}

  void Draw(const RandomKey& key, int64_t sample, uint32_t draw, const float* image, float* out,
            size_t n) const override {
    FillNormal(key, sample, draw, sigma_, out, n);
    for (size_t i = 0; i < n; ++i) out[i] += image[i];
  }

 private:
  const float sigma_;
};

class UniformNoise final : public Noise {
 public:
  explicit UniformNoise(double lambda) : scale_(static_cast<float>(lambda) * 0x1p-31F) {}

  void Draw(const RandomKey& key, int64_t sample, uint32_t draw, const float* image, float* out,
            size_t n) const override {
    RandomStream random(key, sample, draw);
    std::array<uint32_t, kPiece> bits;
    for (size_t first = 0; first < n; first += kPiece) {
      const size_t count = std::min(kPiece, n - first);
      random.FillBits(bits.data(), kPiece);
      for (size_t i = 0; i < count; ++i) {
        out[first + i] =
            image[first + i] + scale_ * static_cast<float>(static_cast<int32_t>(bits[i]));
      }
    }
  }

 private:
  const float scale_;
};

// For independent standard normals N1 to N4, N1 N2 - N3 N4 is Laplace with scale 1: with
// A, B = (N1 +- N2) / sqrt 2 and C, D likewise it is (A^2 + D^2) / 2 - (B^2 + C^2) / 2, the
// difference of two exponentials. So it needs no logarithm beside that of the normals.
class LaplaceNoise final : public Noise {
 public:
  explicit LaplaceNoise(double lambda) : scale_(static_cast<float>(lambda)) {}

  void Draw(const RandomKey& key, int64_t sample, uint32_t draw, const float* image, float* out,
            size_t n) const override {
    RandomStream random(key, sample, draw);
    constexpr size_t kPart = kPiece / 4;
    std::array<float, kPiece> normals;
    for (size_t first = 0; first < n; first += kPart) {
      const size_t count = std::min(kPart, n - first);
      random.FillNormal(1, normals.data(), kPiece);
      for (size_t i = 0; i < count; ++i) {
        const float product = normals[i] * normals[kPart + i];
        const float other = normals[2 * kPart + i] * normals[3 * kPart + i];
        out[first + i] = image[first + i] + scale_ * (product - other);
      }
    }
  }

 private:
  const float scale_;
};

// Gaussian noise rounded to the 1/255 grid, exactly: a pixel on the grid plus Gaussian noise,
// rounded to the grid, is the pixel plus rounded noise, whose distribution function has the steps
// Phi((m - 1/2) / (255 sigma)) at the integers m. Those steps as 64-bit integers are compared with
// a 64-bit random integer, so that no floating-point sum is ever taken.
class SoundGaussianNoise final : public Noise {
 public:
  explicit SoundGaussianNoise(double sigma)
      : largest_(255 * (SoundRange(sigma) + 1)), low_(-255 * SoundRange(sigma)), high_(largest_) {
    // Beyond +-largest_ every pixel is cut in any case.
    const long double unit = 255.0L * static_cast<long double>(sigma);
    for (int m = 1 - largest_; m <= largest_; ++m) {
      // The smaller of the two tails, which is known to all its digits.
      const long double tail =
          0.5L * std::erfc(std::abs(static_cast<long double>(m) - 0.5L) / unit / std::sqrt(2.0L));
      const auto step = static_cast<uint64_t>(std::round(std::ldexp(tail, 64)));
      // 2^64 itself does not fit; the difference is within the documented error.
      steps_.push_back(m <= 0 ? step : step == 0 ? UINT64_MAX : 0 - step);
    }
    for (const uint64_t step : steps_) high_words_.push_back(static_cast<uint32_t>(step >> 32));
    high_words_.push_back(UINT32_MAX);  // an end that is never passed
    for (uint32_t bin = 0; bin < guide_.size(); ++bin) {
      guide_[bin] = static_cast<uint32_t>(
          std::lower_bound(high_words_.begin(), high_words_.end() - 1, bin << kGuideShift) -
          high_words_.begin());
    }
  }

  absl::Status Check(const float* image, size_t n) const override {
    for (size_t i = 0; i < n; ++i) {
      if (std::abs(image[i] - std::nearbyint(image[i] * 255.0F) / 255.0F) > 1e-6F) {
        return Error(Reason::kInvalidDataset,
                     absl::StrCat("sound=yes needs images of 8-bit pixels; value ", i, " is ",
                                  image[i], ", which is not a multiple of 1/255"));
      }
    }
    return absl::OkStatus();
  }

  void Draw(const RandomKey& key, int64_t sample, uint32_t draw, const float* image, float* out,
            size_t n) const override {
    RandomStream random(key, sample, draw);
    std::array<uint32_t, kPiece> bits;
    std::vector<uint32_t> low_words;
    for (size_t first = 0; first < n; first += kPiece) {
      const size_t count = std::min(kPiece, n - first);
      random.FillBits(bits.data(), kPiece);
      for (size_t i = 0; i < count; ++i) {
        const uint32_t word = bits[i];
        size_t passed = guide_[word >> kGuideShift];
        while (high_words_[passed] < word) ++passed;
        // One word rarely does not tell: the other half of the random integer is made only then.
        if (high_words_[passed] == word && passed < steps_.size()) {
          if (low_words.empty()) {
            low_words.resize(n);
            RandomStream(key, sample, draw | kLowWords).FillBits(low_words.data(), n);
          }
          const uint64_t integer = uint64_t{word} << 32 | low_words[first + i];
          while (passed < steps_.size() && steps_[passed] <= integer) ++passed;
        }
        const int pixel = static_cast<int>(std::nearbyint(image[first + i] * 255.0F));
        const int noisy = pixel - largest_ + static_cast<int>(passed);
        out[first + i] = static_cast<float>(std::clamp(noisy, low_, high_)) / 255.0F;
      }
    }
  }

 private:
  static constexpr int kGuideShift = 20;
  // Draw numbers are below 2^31, so these streams are free.
  static constexpr uint32_t kLowWords = 0x80000000;

  const int largest_, low_, high_;
  // steps_[i] / 2^64: the probability that the noise is below i + 1 - largest_.
  std::vector<uint64_t> steps_;
  // Their upper halves, and the end.
  std::vector<uint32_t> high_words_;
  // By the first 12 bits of a word: the first step that it may not have passed.
  std::array<uint32_t, 4096> guide_{};
};

}  // namespace

absl::Status Noise::Check(const float*, size_t) const { return absl::OkStatus(); }

std::unique_ptr<Noise> MakeNoise(const SmoothingSetting& setting) {
  switch (setting.noise) {
    case SmoothingNoise::kUniform:
      return std::make_unique<UniformNoise>(setting.scale);
    case SmoothingNoise::kLaplace:
      return std::make_unique<LaplaceNoise>(setting.scale);
    case SmoothingNoise::kGaussian:
      break;
  }
  if (setting.sound) return std::make_unique<SoundGaussianNoise>(setting.scale);
  return std::make_unique<GaussianNoise>(setting.scale);
}

}  // namespace assay::engine
