// Random corruptions against the published scripts in distribution: the mean and the power spectrum
// of what they change in the same 16 images, and the spectrum of the changed images (golden files,
// see the README of the test data). The interval comes from many draws of ours, so there is no
// tolerance to choose; and the parameters of a neighbouring severity or table must be told apart.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/core/corruptions/golden_corruptions.h"
#include "tests/test_data.h"

namespace assay::corruptions {
namespace {

constexpr size_t kSide = 32;
constexpr size_t kImages = 16;
constexpr size_t kElements = kSide * kSide * 3;

// Radial frequencies, in cycles per image, where a band of the spectrum begins; the last one ends
// in the corners.
constexpr std::array<double, 5> kBands = {0.5, 2.5, 5.5, 9.5, 13.5};
using Plane = std::array<std::array<double, kSide>, kSide>;

// Logarithms of the power in each band, of values in grey levels; and of the ratio of the power of
// mostly horizontal to that of mostly vertical waves, which shows the direction of a blur.
constexpr size_t kNumbers = kBands.size() + 1;
std::array<double, kNumbers> Spectrum(const Plane& plane) {
  static const auto* const turns = [] {
    auto* table = new std::array<std::array<double, 2>, kSide>;
    for (size_t i = 0; i < kSide; ++i) {
      const double angle = 2 * std::acos(-1.0) * static_cast<double>(i) / kSide;
      (*table)[i] = {std::cos(angle), std::sin(angle)};
    }
    return table;
  }();
  // Frequencies u along rows, 0 to half of the side (the others are conjugates), then v.
  std::array<double, kBands.size()> power{};
  double horizontal = 0, vertical = 0;
  for (size_t u = 0; u <= kSide / 2; ++u) {
    std::array<double, kSide> real{}, imaginary{};
    for (size_t y = 0; y < kSide; ++y) {
      for (size_t x = 0; x < kSide; ++x) {
        real[y] += plane[y][x] * (*turns)[u * x % kSide][0];
        imaginary[y] += plane[y][x] * (*turns)[u * x % kSide][1];
      }
    }
    for (size_t v = 0; v < kSide; ++v) {
      double a = 0, b = 0;
      for (size_t y = 0; y < kSide; ++y) {
        const auto& [cosine, sine] = (*turns)[v * y % kSide];
        a += real[y] * cosine - imaginary[y] * sine;
        b += real[y] * sine + imaginary[y] * cosine;
      }
      const size_t down = std::min(v, kSide - v);
      const auto band =
          std::upper_bound(kBands.begin(), kBands.end(), std::hypot(u, down)) - kBands.begin();
      if (band == 0) continue;
      const double here = (u == 0 || u == kSide / 2 ? 1 : 2) * (a * a + b * b);
      power[static_cast<size_t>(band - 1)] += here;
      if (u > down) horizontal += here;
      if (u < down) vertical += here;
    }
  }
  constexpr double kPixels = kSide * kSide;
  // The power of a thousandth of a grey level keeps unchanged images finite.
  const auto logarithm = [](double value) { return std::log(value / (kPixels * kPixels) + 1e-6); };
  std::array<double, kNumbers> numbers{};
  std::transform(power.begin(), power.end(), numbers.begin(), logarithm);
  numbers.back() = logarithm(horizontal) - logarithm(vertical);
  return numbers;
}

// The mean of the change, and the spectra of the change and of the changed image.
constexpr size_t kFeatures = 1 + 2 * kNumbers;
using Features = std::array<double, kFeatures>;

// Averaged over the channels: noise that was the same in all of them would have three times the
// power.
Features FeaturesOf(const Image& before, const uint8_t* after) {
  Plane change{}, changed{};
  double sum = 0;
  for (size_t i = 0; i < kElements; ++i) {
    const double difference = (after[i] - before.pixels[i]) / 3.0;
    change[i / (3 * kSide)][i / 3 % kSide] += difference;
    changed[i / (3 * kSide)][i / 3 % kSide] += after[i] / 3.0;
    sum += difference;
  }
  Features features{sum / (kSide * kSide)};
  const auto of_change = Spectrum(change);
  const auto of_changed = Spectrum(changed);
  std::copy(of_change.begin(), of_change.end(), features.begin() + 1);
  std::copy(of_changed.begin(), of_changed.end(), features.begin() + 1 + kNumbers);
  return features;
}

using Matrix = std::array<std::array<double, kFeatures>, kFeatures>;

// x . A^-1 x for a positive definite A, by its Cholesky factor.
double Distance(Matrix a, Features x) {
  double distance = 0;
  for (size_t i = 0; i < kFeatures; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double rest = a[i][j];
      for (size_t k = 0; k < j; ++k) rest -= a[i][k] * a[j][k];
      a[i][j] = i == j ? std::sqrt(rest) : rest / a[j][j];
    }
    for (size_t k = 0; k < i; ++k) x[i] -= a[i][k] * x[k];
    x[i] /= a[i][i];
    distance += x[i] * x[i];
  }
  return distance;
}

// How the features of one corruption with one set of parameters are distributed, for each image,
// from many draws.
class Distribution {
 public:
  static constexpr int kDraws = 16;

  Distribution(const std::string& name, SeverityTable table, int severity,
               const std::vector<Image>& images) {
    const auto corrupt = Corrupter(OfSeverity(name, table, severity), images.at(0));
    for (size_t i = 0; i < kImages; ++i) {
      std::array<Features, kDraws> draws;
      Features& mean = means_[i];
      for (int draw = 0; draw < kDraws; ++draw) {
        const Image after = corrupt(images[i], static_cast<int64_t>(i) * kDraws + draw);
        Features& features = draws[static_cast<size_t>(draw)];
        features = FeaturesOf(images[i], after.pixels.data());
        for (size_t f = 0; f < kFeatures; ++f) mean[f] += features[f] / kDraws;
      }
      // Of the difference between a new draw and the mean of ours.
      constexpr double kScale = (1 + 1.0 / kDraws) / (kDraws - 1);
      for (const Features& features : draws) {
        for (size_t f = 0; f < kFeatures; ++f) {
          for (size_t g = 0; g < kFeatures; ++g) {
            covariance_[f][g] += kScale * (features[f] - mean[f]) * (features[g] - mean[g]);
          }
        }
      }
    }
  }

  // Mahalanobis' squared distance of one draw of all images from the mean, summed over the images
  // before it is squared: for draws of this distribution about chi-squared with kFeatures degrees
  // of freedom.
  double DistanceTo(const std::vector<Features>& drawn) const {
    Features sum{};
    for (size_t i = 0; i < kImages; ++i) {
      for (size_t f = 0; f < kFeatures; ++f) sum[f] += drawn[i][f] - means_[i][f];
    }
    return Distance(covariance_, sum);
  }

 private:
  std::array<Features, kImages> means_{};
  Matrix covariance_{};
};

class Distributed : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Corruptions, Distributed,
                         testing::Values("gaussian_noise", "shot_noise", "impulse_noise",
                                         "speckle_noise", "glass_blur", "motion_blur", "snow",
                                         "frost", "fog", "elastic_transform", "spatter"),
                         [](const auto& one) { return one.param; });

// Chi-squared with 13 degrees of freedom is larger once in 10,000 times, so 55 comparisons all pass
// in 99.5 of 100 repetitions of the whole test.
constexpr double kLargest = 40.9;
static_assert(kFeatures == 13);

// Columns that 16 images cannot tell apart.
bool Alike(const std::string& name, int severity, int other) {
  const std::pair<int, int> pair = std::minmax(severity, other);
  // (6, 2) and (8, 2) are the same blur: the radius only cuts off weights that are 0 anyway.
  if (name == "motion_blur") return pair == std::pair(3, 4);
  // (.9, .4) and (.85, .4): a test of its own finds each golden image in a photograph.
  if (name == "frost") return pair == std::pair(3, 4);
  // Nearly the same affine parts, which weigh most: the change over 1,000 images tells them apart
  // (corruptions_test.cc).
  if (name == "elastic_transform") return pair == std::pair(1, 2) || pair == std::pair(3, 4);
  return false;
}

// The same for the table of 64 pixels.
bool TablesAlike(const std::string& name, int severity) {
  return (name == "elastic_transform" && severity % 2 == 0) || (name == "spatter" && severity == 1);
}

TEST_P(Distributed, AsTheOriginalScriptsAndAsNoOtherColumnOrTable) {
  const std::string& name = GetParam();
  SKIP_WITHOUT_PHOTOGRAPHS(name);
  ASSAY_TEST_DATA_OR_SKIP(images_path, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(golden_path, "golden/corruptions_cifar_16.npz");
  std::vector<Image> images = ReadCifar(images_path);
  ASSERT_GE(images.size(), kImages);
  images.resize(kImages);
  std::vector<Distribution> ours;
  for (int severity = 1; severity <= 5; ++severity) {
    ours.emplace_back(name, SeverityTable::k32, severity, images);
  }
  for (int severity = 1; severity <= 5; ++severity) {
    const std::string golden = ReadGolden(golden_path, absl::StrCat(name, "_", severity));
    ASSERT_EQ(golden.size(), kImages * kElements);
    std::vector<Features> theirs;
    for (size_t i = 0; i < kImages; ++i) {
      theirs.push_back(
          FeaturesOf(images[i], reinterpret_cast<const uint8_t*>(golden.data()) + i * kElements));
    }
    const auto distance = [&](int other) {
      return ours[static_cast<size_t>(other - 1)].DistanceTo(theirs);
    };
    EXPECT_LT(distance(severity), kLargest) << "severity " << severity;
    for (int other : {severity - 1, severity + 1}) {
      if (other < 1 || other > 5 || Alike(name, severity, other)) continue;
      EXPECT_GT(distance(other), kLargest)
          << "severity " << other << " would pass for " << severity;
    }
    const double table64 =
        Distribution(name, SeverityTable::k64, severity, images).DistanceTo(theirs);
    // Equal parameters make the same bytes.
    if (table64 == distance(severity) || TablesAlike(name, severity)) continue;
    EXPECT_GT(table64, kLargest) << "the table of 64 pixels would pass for severity " << severity;
  }
}

}  // namespace
}  // namespace assay::corruptions
