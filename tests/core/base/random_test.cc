// The generator against the known answers of its authors, its distributions against closed forms,
// and every bulk kernel against a scalar reference, bit for bit.
#include "core/base/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "core/base/digest.h"
#include "core/base/fast_normal.h"
#include "gtest/gtest.h"

namespace assay {
namespace {

using Words = std::array<uint32_t, 4>;

// kat_vectors of Random123 1.x, lines "philox4x32 10".
TEST(Philox, ReproducesThePublishedKnownAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomKey, IsTheStartOfTheDigestOfSeedAndCondition) {
  const std::string digest = Sha256Hex(absl::string_view("-7\0clean", 8));
  const RandomKey key(-7, "clean");
  const auto byte = [&](size_t i) {
    return static_cast<uint32_t>(std::stoul(digest.substr(2 * i, 2), nullptr, 16));
  };
  EXPECT_EQ(key.words()[0], byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24);
  EXPECT_EQ(key.words()[1], byte(4) | byte(5) << 8 | byte(6) << 16 | byte(7) << 24);
}

TEST(RandomKey, DiffersForEverySeedAndCondition) {
  std::set<std::array<uint32_t, 2>> keys;
  for (int64_t seed : {0, 1, 10, -1}) {
    for (const char* id : {"", "0", "clean", "corruption/fog/1", "corruption/fog/2"}) {
      keys.insert(RandomKey(seed, id).words());
    }
  }
  EXPECT_EQ(keys.size(), 20u);
}

TEST(RandomStream, CountsBlocksThenStreamThenSample) {
  const RandomKey key(3, "attack/pgd/linf/8-255");
  const int64_t sample = 0x123456789ABLL;
  RandomStream random(key, sample, 77);
  for (uint32_t block = 0; block < 3; ++block) {
    const Words expected = Philox4x32({block, 77, 0x456789AB, 0x123}, key.words());
    for (uint32_t word : expected) EXPECT_EQ(random.Bits(), word);
  }
}

TEST(RandomStream, UniformsStayInRangeAndFillIt) {
  RandomStream random(RandomKey(1, "u"), 0, 0);
  double sum = 0, sum_squares = 0, smallest = 1, largest = 0;
  constexpr int kDraws = 200'000;
  for (int i = 0; i < kDraws; ++i) {
    const float u = random.Uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    sum_squares += double{u} * u;
    smallest = std::min(smallest, double{u});
    largest = std::max(largest, double{u});
    const double wide = random.Uniform(-3, 5);
    ASSERT_GE(wide, -3);
    ASSERT_LT(wide, 5);
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(sum_squares / kDraws, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kDraws));
  EXPECT_LT(smallest, 1e-4);
  EXPECT_GT(largest, 1 - 1e-4);
  // An interval so narrow that rounding would reach its end.
  const double next = std::nextafter(1.0, 2.0);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.Uniform(1.0, next), 1.0);
}

TEST(RandomStream, BelowIsUniformOverEveryRange) {
  RandomStream random(RandomKey(2, "below"), 5, 1);
  EXPECT_EQ(random.Below(1), 0u);
  std::array<int, 7> counts{};
  constexpr int kDraws = 70'000;
  for (int i = 0; i < kDraws; ++i) ++counts.at(random.Below(7));
  double chi = 0;
  for (int count : counts) chi += (count - 10'000.0) * (count - 10'000.0) / 10'000;
  EXPECT_LT(chi, 22.5);  // 6 degrees of freedom, p = 0.001
  // Without rejection, a range of 3 * 2^30 would hit the multiples of 3 half the time.
  int multiples = 0;
  for (int i = 0; i < kDraws; ++i) multiples += random.Below(0xC0000000u) % 3 == 0 ? 1 : 0;
  EXPECT_NEAR(multiples / double{kDraws}, 1.0 / 3, 0.01);
}

TEST(RandomStream, CopiesContinueAlikeAndStreamsAndSamplesDiffer) {
  const RandomKey key(4, "copy");
  RandomStream a(key, 1, 0);
  a.Normal();
  RandomStream b = a;
  EXPECT_EQ(a.Normal(), b.Normal());
  EXPECT_EQ(a.Bits(), b.Bits());
  std::set<uint32_t> firsts;
  for (int64_t sample : {int64_t{0}, int64_t{1}, int64_t{1} << 32}) {
    for (uint32_t stream : {0u, 1u}) firsts.insert(RandomStream(key, sample, stream).Bits());
  }
  EXPECT_EQ(firsts.size(), 6u);
}

double NormalCdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// The largest distance between the empirical and the normal distribution, times sqrt(n); above 1.95
// with p = 0.001.
double KolmogorovSmirnov(std::vector<float> draws) {
  std::sort(draws.begin(), draws.end());
  const auto n = static_cast<double>(draws.size());
  double largest = 0;
  for (size_t i = 0; i < draws.size(); ++i) {
    const double cdf = NormalCdf(double{draws[i]});
    largest = std::max({largest, std::abs(cdf - static_cast<double>(i) / n),
                        std::abs(cdf - static_cast<double>(i + 1) / n)});
  }
  return largest * std::sqrt(n);
}

struct Moments {
  double mean, variance, skewness, kurtosis;
};

Moments MomentsOf(const std::vector<float>& draws) {
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
  for (float draw : draws) {
    const double x = double{draw};
    m1 += x;
    m2 += x * x;
    m3 += x * x * x;
    m4 += x * x * x * x;
  }
  const auto n = static_cast<double>(draws.size());
  return {m1 / n, m2 / n, m3 / n, m4 / n};
}

void ExpectStandardNormal(const std::vector<float>& draws) {
  const auto n = static_cast<double>(draws.size());
  const Moments moments = MomentsOf(draws);
  EXPECT_NEAR(moments.mean, 0, 4.5 / std::sqrt(n));
  EXPECT_NEAR(moments.variance, 1, 4.5 * std::sqrt(2 / n));
  EXPECT_NEAR(moments.skewness, 0, 4.5 * std::sqrt(15 / n));
  EXPECT_NEAR(moments.kurtosis, 3, 4.5 * std::sqrt(96 / n));
  EXPECT_LT(KolmogorovSmirnov(draws), 1.95);
  for (double beyond : {2.0, 3.0, 4.0}) {
    const double expected = n * 2 * NormalCdf(-beyond);
    const auto seen = static_cast<double>(std::count_if(
        draws.begin(), draws.end(), [&](float x) { return std::abs(double{x}) > beyond; }));
    EXPECT_NEAR(seen, expected, 4.5 * std::sqrt(expected)) << "beyond " << beyond;
  }
}

TEST(RandomStream, NormalsFollowTheNormalDistribution) {
  RandomStream random(RandomKey(5, "normal"), 0, 0);
  std::vector<float> draws(500'000);
  for (float& draw : draws) draw = static_cast<float>(random.Normal());
  ExpectStandardNormal(draws);
}

// What fast_normal.h documents, one value at a time. Compiled without contraction, like the
// kernels.
float ReferenceNormal(const RandomKey& key, int64_t sample, uint32_t stream, float scale,
                      size_t index) {
  const size_t group = index / 256, word = index % 256 / 64, lane = index % 64;
  const auto bits = static_cast<uint64_t>(sample);
  const Words block = Philox4x32({static_cast<uint32_t>(group * 64 + lane), stream,
                                  static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32)},
                                 key.words());
  const uint32_t radius_word = block.at(word / 2 * 2), angle_word = block.at(word / 2 * 2 + 1);
  // (x + 1/2) rounded once to single precision; doubles hold it exactly.
  const float u = static_cast<float>(radius_word + 0.5) * 0x1p-32f;
  int exponent;
  float mantissa = std::frexp(u, &exponent);
  float half_root;
  const uint32_t half_root_bits = 0x3F3504F3;
  std::memcpy(&half_root, &half_root_bits, 4);
  if (mantissa < half_root) {
    mantissa *= 2;
    --exponent;
  }
  const float s = (mantissa - 1) / (mantissa + 1);
  const float q = s * s;
  float series = 1.0f / 9;
  for (float coefficient : {1.0f / 7, 1.0f / 5, 1.0f / 3, 1.0f}) series = coefficient + q * series;
  const float log_u = static_cast<float>(exponent) * 0.693147180559945f + 2 * s * series;
  const float radius = std::sqrt(-2 * log_u);

  const auto quarter = static_cast<int>((uint64_t{angle_word} + 0x20000000u) >> 30);  // 0 to 4
  const int64_t rest = int64_t{angle_word} - (int64_t{quarter} << 30);
  const float t = static_cast<float>(rest) * static_cast<float>(6.283185307179586 / 4294967296.0);
  const float t2 = t * t;
  const float sine =
      t + t * t2 * (-1.0f / 6 + t2 * (1.0f / 120 + t2 * (-1.0f / 5040 + t2 * (1.0f / 362880))));
  const float cosine =
      1 + t2 * (-0.5f + t2 * (1.0f / 24 + t2 * (-1.0f / 720 + t2 * (1.0f / 40320))));
  const std::array<float, 4> turned = word % 2 == 0
                                          ? std::array<float, 4>{cosine, -sine, -cosine, sine}
                                          : std::array<float, 4>{sine, cosine, -sine, -cosine};
  return radius * turned.at(static_cast<size_t>(quarter % 4)) * scale;
}

TEST(FillNormal, EqualsTheScalarReferenceBitForBitOnEveryInstructionSet) {
  const RandomKey key(7, "smoothing/gaussian/0.25");
  constexpr size_t kGroups = 200;
  std::vector<float> reference(kGroups * internal::kGroupWords);
  for (size_t i = 0; i < reference.size(); ++i) {
    reference[i] = ReferenceNormal(key, 41, 9, 0.25f, i);
  }
  std::vector<float> filled(reference.size());
  FillNormal(key, 41, 9, 0.25f, filled.data(), filled.size());
  EXPECT_EQ(std::memcmp(filled.data(), reference.data(), 4 * filled.size()), 0);
  int kernels = 0;
  for (const internal::BulkKernels& kernel : internal::SupportedKernels()) {
    if (kernel.name == nullptr) continue;
    ++kernels;
    std::fill(filled.begin(), filled.end(), 0.0f);
    kernel.normals({key.words(), {0, 9, 41, 0}}, 0.25f, kGroups, filled.data());
    EXPECT_EQ(std::memcmp(filled.data(), reference.data(), 4 * filled.size()), 0) << kernel.name;
  }
  EXPECT_GE(kernels, 1);
}

TEST(FillNormal, IsBoxMullerToSinglePrecision) {
  const RandomKey key(8, "box-muller");
  std::vector<float> filled(64 * internal::kGroupWords);
  FillNormal(key, 0, 0, 1, filled.data(), filled.size());
  for (size_t group = 0; group < 64; ++group) {
    for (uint32_t lane = 0; lane < 64; ++lane) {
      const Words block =
          Philox4x32({static_cast<uint32_t>(group) * 64 + lane, 0, 0, 0}, key.words());
      for (size_t pair = 0; pair < 2; ++pair) {
        const double radius = std::sqrt(-2 * std::log((block[2 * pair] + 0.5) / 4294967296.0));
        const double angle = 2 * M_PI * (block[2 * pair + 1] / 4294967296.0);
        const size_t at = group * 256 + pair * 128 + lane;
        // Near u = 1 the single-precision u is coarse: an absolute error of 2^-25 / radius.
        const double tolerance = 2e-6 + 6e-8 / std::max(radius, 1e-4);
        EXPECT_NEAR(filled[at], radius * std::cos(angle), tolerance);
        EXPECT_NEAR(filled[at + 64], radius * std::sin(angle), tolerance);
      }
    }
  }
}

// Blocks whose radius words are the smallest and (nearly) the largest, found by searching key {0,
// 0}.
TEST(FillNormal, IsFiniteAtTheExtremeWords) {
  const auto radius_at = [](const internal::BulkKernels& kernel, uint32_t block) {
    std::array<float, internal::kGroupWords> normals;
    kernel.normals({{0, 0}, {block, 0, 0, 0}}, 1, 1, normals.data());
    return std::hypot(normals[128], normals[192]);
  };
  ASSERT_EQ(Philox4x32({3230741590u, 0, 0, 0}, {0, 0})[2], 0u);
  ASSERT_EQ(Philox4x32({24962728u, 0, 0, 0}, {0, 0})[2], 0xffffffb9u);
  for (const internal::BulkKernels& kernel : internal::SupportedKernels()) {
    if (kernel.name == nullptr) continue;
    EXPECT_NEAR(radius_at(kernel, 3230741590u), std::sqrt(66 * std::log(2.0)), 1e-5) << kernel.name;
    EXPECT_EQ(radius_at(kernel, 24962728u), 0) << kernel.name;
  }
}

TEST(FillNormal, FollowsTheNormalDistribution) {
  std::vector<float> draws(4'000'000);
  FillNormal(RandomKey(10, "ks"), 3, 0, 1, draws.data(), draws.size());
  ExpectStandardNormal(draws);
}

double Correlation(const float* a, const float* b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += double{a[i]} * double{b[i]};
  return sum / static_cast<double>(n);
}

TEST(FillNormal, DrawsOfOneStreamAndOfNeighbouringStreamsAreUncorrelated) {
  constexpr size_t kN = 1'000'000;
  const double bound = 4.5 / std::sqrt(double{kN});
  const RandomKey key(11, "correlation");
  std::vector<float> a(kN), b(kN);
  FillNormal(key, 0, 0, 1, a.data(), kN);
  for (size_t lag : {1u, 2u, 3u, 64u, 128u, 192u, 256u}) {
    EXPECT_NEAR(Correlation(a.data(), a.data() + lag, kN - lag), 0, bound) << "lag " << lag;
  }
  FillNormal(key, 0, 1, 1, b.data(), kN);
  EXPECT_NEAR(Correlation(a.data(), b.data(), kN), 0, bound) << "next stream";
  FillNormal(key, 1, 0, 1, b.data(), kN);
  EXPECT_NEAR(Correlation(a.data(), b.data(), kN), 0, bound) << "next sample";
  FillNormal(RandomKey(12, "correlation"), 0, 0, 1, b.data(), kN);
  EXPECT_NEAR(Correlation(a.data(), b.data(), kN), 0, bound) << "next seed";
  // Squares too: cosine and sine of one pair share a radius, and must still be independent.
  for (float& x : a) x = x * x - 1;
  for (size_t lag : {1u, 64u, 128u}) {
    EXPECT_NEAR(Correlation(a.data(), a.data() + lag, kN - lag), 0, 2 * bound) << "lag " << lag;
  }
}

TEST(FillNormal, AnyLengthIsAPrefixOfALongerOne) {
  const RandomKey key(13, "prefix");
  std::vector<float> whole(1000);
  FillNormal(key, 2, 4, 2, whole.data(), whole.size());
  for (size_t n : {size_t{0}, size_t{1}, size_t{255}, size_t{256}, size_t{257}, size_t{999}}) {
    std::vector<float> part(n + 1, -99.0f);
    FillNormal(key, 2, 4, 2, part.data(), n);
    EXPECT_TRUE(std::equal(part.begin(), part.end() - 1, whole.begin())) << n;
    EXPECT_EQ(part[n], -99.0f) << "written beyond " << n;
  }
}

TEST(RandomStream, BulkDrawsBeginAtAFreshBlockAndAreNotRepeated) {
  const RandomKey key(14, "bulk");
  RandomStream random(key, 6, 2);
  random.Bits();
  std::vector<uint32_t> bits(300);
  random.FillBits(bits.data(), bits.size());
  // Block 0 served the single draw; groups of 64 blocks follow.
  EXPECT_EQ(bits[0], Philox4x32({1, 2, 6, 0}, key.words())[0]);
  EXPECT_EQ(bits[1], Philox4x32({2, 2, 6, 0}, key.words())[0]);
  EXPECT_EQ(bits[64], Philox4x32({1, 2, 6, 0}, key.words())[1]);
  EXPECT_EQ(bits[256], Philox4x32({65, 2, 6, 0}, key.words())[0]);
  EXPECT_EQ(random.Bits(), Philox4x32({129, 2, 6, 0}, key.words())[0]);

  RandomStream fresh(key, 6, 2);
  std::vector<float> streamed(300), direct(300);
  fresh.FillNormal(0.5f, streamed.data(), streamed.size());
  FillNormal(key, 6, 2, 0.5f, direct.data(), direct.size());
  EXPECT_EQ(streamed, direct);
}

TEST(RandomStream, EveryKernelMakesTheSameBits) {
  std::vector<uint32_t> expected(8 * internal::kGroupWords), seen(expected.size());
  const internal::GroupStart start{{1, 2}, {0xFFFFFFF0u, 3, 4, 5}};
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto block = static_cast<uint32_t>(0xFFFFFFF0u + i / 256 * 64 + i % 64);
    expected[i] = Philox4x32({block, 3, 4, 5}, {1, 2}).at(i % 256 / 64);
  }
  for (const internal::BulkKernels& kernel : internal::SupportedKernels()) {
    if (kernel.name == nullptr) continue;
    kernel.bits(start, 8, seen.data());
    EXPECT_EQ(seen, expected) << kernel.name;
  }
}

}  // namespace
}  // namespace assay
