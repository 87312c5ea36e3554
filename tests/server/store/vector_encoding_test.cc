// Kept vectors in 16 bits: every value against the definitions of the formats, and what the
// rounding does to the divergence that probabilities are kept for.
#include "server/store/vector_encoding.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

// IEEE 754, binary16.
double Half(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = bits & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 != 0 ? -magnitude : magnitude;
}

TEST(VectorEncoding, EveryHalfIsWhatTheStandardSaysAndComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = FloatOf(half);
    if ((half & 0x7c00) == 0x7c00) {
      EXPECT_EQ(std::isnan(value), (half & 0x3ff) != 0) << bits;
      if (std::isnan(value)) continue;
      EXPECT_TRUE(std::isinf(value)) << bits;
    } else {
      ASSERT_EQ(static_cast<double>(value), Half(half)) << bits;
    }
    ASSERT_EQ(HalfOf(value), half);
  }
  EXPECT_TRUE(std::isnan(FloatOf(HalfOf(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(VectorEncoding, TheNearestHalfIsTakenAndTheEvenOneOfTwo) {
  for (uint16_t half = 0; half < 0x7bff; ++half) {
    const float low = FloatOf(half), high = FloatOf(static_cast<uint16_t>(half + 1));
    const float middle = low + (high - low) / 2;
    EXPECT_EQ(HalfOf(middle), half % 2 == 0 ? half : half + 1);
    EXPECT_EQ(HalfOf(std::nextafter(middle, low)), half);
    EXPECT_EQ(HalfOf(std::nextafter(middle, high)), half + 1);
    EXPECT_EQ(HalfOf(-std::nextafter(middle, low)), 0x8000 | half);
  }
  EXPECT_EQ(HalfOf(65519.99F), 0x7bff);
  EXPECT_EQ(HalfOf(65520), 0x7c00);
}

std::vector<float> Again(v1::VectorKind kind, const std::vector<float>& values, size_t size) {
  const auto decoded =
      DecodeVectors(kind, EncodeVectors(kind, values, size), values.size() / size, size);
  EXPECT_THAT(decoded, IsOk());
  return decoded.value_or(std::vector<float>());
}

TEST(VectorEncoding, FeaturesAreHalvesWhereThoseHoldThem) {
  const std::vector<float> plain = {0, 0, 1.0F / 3, -1e-6F, 60000, 1e-9F};
  EXPECT_EQ(EncodeVectors(v1::FEATURES, plain, 2).size(), 12u);
  const std::vector<float> again = Again(v1::FEATURES, plain, 2);
  for (size_t i = 0; i < plain.size(); ++i) {
    const float largest = std::max(std::abs(plain[i / 2 * 2]), std::abs(plain[i / 2 * 2 + 1]));
    EXPECT_LE(std::abs(again[i] - plain[i]),
              std::max(std::abs(plain[i]) * 0x1p-11F, largest * 0x1p-15F));
  }
  // Too large or too small a vector, and all keep every bit.
  for (const float other : {65505.0F, 1e-4F, -1e9F}) {
    const std::vector<float> values = {1.0F / 3, 2, other, 0};
    EXPECT_EQ(EncodeVectors(v1::FEATURES, values, 2).size(), 16u) << other;
    EXPECT_EQ(Again(v1::FEATURES, values, 2), values);
  }
}

TEST(VectorEncoding, BytesOfAnotherSizeAreRefused) {
  for (const v1::VectorKind kind : {v1::FEATURES, v1::PROBABILITIES}) {
    EXPECT_THAT(DecodeVectors(kind, "123", 1, 2), HasReason(Reason::kInternal));
  }
  // Probabilities are never float32.
  EXPECT_THAT(DecodeVectors(v1::PROBABILITIES, "12345678", 1, 2), HasReason(Reason::kInternal));
}

using Distribution = std::vector<double>;

Distribution Softmax(std::mt19937_64& random, size_t classes, double scale) {
  std::normal_distribution<double> normal;
  Distribution p(classes);
  double sum = 0;
  for (double& share : p) sum += share = std::exp(scale * normal(random));
  for (double& share : p) share /= sum;
  return p;
}

// In bits.
double Divergence(const Distribution& p, const Distribution& q) {
  double sum = 0;
  for (size_t k = 0; k < p.size(); ++k) {
    const double middle = (p[k] + q[k]) / 2;
    if (p[k] > 0) sum += p[k] * std::log2(p[k] / middle);
    if (q[k] > 0) sum += q[k] * std::log2(q[k] / middle);
  }
  return sum / 2;
}

Distribution Stored(const Distribution& p) {
  const std::vector<float> values(p.begin(), p.end());
  EXPECT_EQ(EncodeVectors(v1::PROBABILITIES, values, values.size()).size(), 2 * values.size());
  const std::vector<float> again = Again(v1::PROBABILITIES, values, values.size());
  return {again.begin(), again.end()};
}

TEST(VectorEncoding, ProbabilitiesAddUpAndAreOffByLittle) {
  std::mt19937_64 random(1);
  double worst = 0, sum = 0;
  int pairs = 0;
  for (const size_t classes : {2, 10, 100, 1000}) {
    for (const double scale : {0.5, 1.0, 3.0, 6.0, 12.0}) {
      for (int trial = 0; trial < 20'000 / static_cast<int>(classes) + 20; ++trial, ++pairs) {
        const Distribution p = Softmax(random, classes, scale), q = Softmax(random, classes, scale);
        const Distribution stored = Stored(p);
        double total = 0;
        for (size_t k = 0; k < classes; ++k) {
          total += stored[k];
          if (p[k] == *std::max_element(p.begin(), p.end())) continue;
          EXPECT_NEAR(stored[k], p[k], std::max(p[k] * 0x1.1p-13, 0x1.1p-27));
        }
        EXPECT_NEAR(total, 1, 1e-6);
        const double error = Divergence(stored, Stored(q)) - Divergence(p, q);
        worst = std::max(worst, std::abs(error));
        sum += error;
      }
    }
  }
  // docs/decisions/0015-kept-vectors.md
  RecordProperty("worst_error_in_bits", std::to_string(worst));
  EXPECT_LT(worst, 1e-4);
  EXPECT_LT(std::abs(sum / pairs), 1e-6);
  // Certainty, and none.
  EXPECT_EQ(Stored({0, 1, 0}), (Distribution{0, 1, 0}));
  EXPECT_EQ(Stored({0.5, 0.5}), (Distribution{0.5, 0.5}));
}

}  // namespace
}  // namespace assay::store
