#include "core/base/fast_normal.h"

#include <cmath>
#include <cstring>

// This file is compiled with -ffp-contract=off (see corruptions/CMakeLists.txt): contraction would
// give machines with fused multiply-add other bits than those without.

namespace assay::internal {
namespace {

#define ASSAY_ALWAYS_INLINE inline __attribute__((always_inline))

constexpr size_t kLanes = kGroupBlocks;

// Ten Philox rounds on kLanes consecutive counters, one array per counter word.
ASSAY_ALWAYS_INLINE void PhiloxLanes(const GroupStart& start, uint32_t first_block, uint32_t* w0,
                                     uint32_t* w1, uint32_t* w2, uint32_t* w3) {
  for (size_t lane = 0; lane < kLanes; ++lane) {
    uint32_t a = first_block + static_cast<uint32_t>(lane);
    uint32_t b = start.counter[1];
    uint32_t c = start.counter[2];
    uint32_t d = start.counter[3];
    uint32_t k0 = start.key[0];
    uint32_t k1 = start.key[1];
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const uint64_t p0 = uint64_t{0xD2511F53} * a;
      const uint64_t p1 = uint64_t{0xCD9E8D57} * c;
      a = static_cast<uint32_t>(p1 >> 32) ^ b ^ k0;
      c = static_cast<uint32_t>(p0 >> 32) ^ d ^ k1;
      b = static_cast<uint32_t>(p1);
      d = static_cast<uint32_t>(p0);
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    w0[lane] = a;
    w1[lane] = b;
    w2[lane] = c;
    w3[lane] = d;
  }
}

ASSAY_ALWAYS_INLINE float FloatOfBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

ASSAY_ALWAYS_INLINE uint32_t BitsOfFloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// sqrt(-2 ln u), u = (word + 1/2) / 2^32, from 0 (u rounds to 1) to 6.76. ln u = e ln 2 + 2
// atanh(s) with the mantissa in [sqrt(1/2), sqrt(2)) and s = (m - 1) / (m + 1), |s| < 0.172: five
// terms of the series leave an error below 2e-9.
ASSAY_ALWAYS_INLINE float Radius(uint32_t word) {
  // Two exact halves and one rounding: the conversion that every instruction set has is the signed
  // one.
  const float high = static_cast<float>(static_cast<int32_t>(word >> 16)) * 65536.0f;
  const float low = static_cast<float>(static_cast<int32_t>(word & 0xFFFF)) + 0.5f;
  const float u = (high + low) * 0x1p-32f;
  constexpr uint32_t kSqrtHalfBits = 0x3F3504F3;
  const uint32_t shifted = BitsOfFloat(u) - kSqrtHalfBits;
  const auto exponent = static_cast<float>(static_cast<int32_t>(shifted) >> 23);
  const float mantissa = FloatOfBits((shifted & 0x007FFFFF) + kSqrtHalfBits);
  const float s = (mantissa - 1.0f) / (mantissa + 1.0f);
  const float q = s * s;
  const float series = 1.0f + q * (1.0f / 3 + q * (1.0f / 5 + q * (1.0f / 7 + q * (1.0f / 9))));
  const float log_u = exponent * 0.693147180559945f + 2.0f * s * series;
  return std::sqrt(-2.0f * log_u);
}

// Cosine and sine of 2 pi word / 2^32: the nearest quarter turn, and Taylor series on the rest, at
// most an eighth of a turn, with errors below 3e-8.
ASSAY_ALWAYS_INLINE void Direction(uint32_t word, float* cosine, float* sine) {
  const uint32_t quarter = (word + 0x20000000u) >> 30;
  const auto rest = static_cast<int32_t>(word - (quarter << 30));
  const float t = static_cast<float>(rest) * static_cast<float>(6.283185307179586 / 4294967296.0);
  const float q = t * t;
  const float s =
      t + t * q * (-1.0f / 6 + q * (1.0f / 120 + q * (-1.0f / 5040 + q * (1.0f / 362880))));
  const float c = 1.0f + q * (-0.5f + q * (1.0f / 24 + q * (-1.0f / 720 + q * (1.0f / 40320))));
  const bool odd = (quarter & 1) != 0;
  const uint32_t cosine_sign = ((quarter + 1) & 2) << 30;
  const uint32_t sine_sign = (quarter & 2) << 30;
  *cosine = FloatOfBits(BitsOfFloat(odd ? s : c) ^ cosine_sign);
  *sine = FloatOfBits(BitsOfFloat(odd ? c : s) ^ sine_sign);
}

ASSAY_ALWAYS_INLINE void BitsBody(const GroupStart& start, size_t groups, uint32_t* out) {
  uint32_t block = start.counter[0];
  for (size_t group = 0; group < groups; ++group) {
    PhiloxLanes(start, block, out, out + kLanes, out + 2 * kLanes, out + 3 * kLanes);
    block += static_cast<uint32_t>(kLanes);
    out += kGroupWords;
  }
}

ASSAY_ALWAYS_INLINE void NormalsBody(const GroupStart& start, float scale, size_t groups,
                                     float* out) {
  uint32_t block = start.counter[0];
  uint32_t words[kGroupWords];
  for (size_t group = 0; group < groups; ++group) {
    PhiloxLanes(start, block, words, words + kLanes, words + 2 * kLanes, words + 3 * kLanes);
    for (size_t pair = 0; pair < 2; ++pair) {
      const uint32_t* radius_words = words + 2 * pair * kLanes;
      const uint32_t* angle_words = radius_words + kLanes;
      float* cosines = out + 2 * pair * kLanes;
      float* sines = cosines + kLanes;
      for (size_t lane = 0; lane < kLanes; ++lane) {
        const float radius = Radius(radius_words[lane]);
        float cosine, sine;
        Direction(angle_words[lane], &cosine, &sine);
        cosines[lane] = radius * cosine * scale;
        sines[lane] = radius * sine * scale;
      }
    }
    block += static_cast<uint32_t>(kLanes);
    out += kGroupWords;
  }
}

#define ASSAY_KERNELS(suffix, attributes)                                               \
  attributes void Bits##suffix(const GroupStart& start, size_t groups, uint32_t* out) { \
    BitsBody(start, groups, out);                                                       \
  }                                                                                     \
  attributes void Normals##suffix(const GroupStart& start, float scale, size_t groups,  \
                                  float* out) {                                         \
    NormalsBody(start, scale, groups, out);                                             \
  }

ASSAY_KERNELS(Portable, )
#if defined(__x86_64__)
ASSAY_KERNELS(Avx2, __attribute__((target("avx2"))))
ASSAY_KERNELS(Avx512, __attribute__((target("avx512f"))))
#endif

std::array<BulkKernels, kMaxKernels> FindSupported() {
  std::array<BulkKernels, kMaxKernels> kernels{};
  size_t count = 0;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) kernels[count++] = {"avx512f", BitsAvx512, NormalsAvx512};
  if (__builtin_cpu_supports("avx2")) kernels[count++] = {"avx2", BitsAvx2, NormalsAvx2};
#endif
  kernels[count] = {"portable", BitsPortable, NormalsPortable};
  return kernels;
}

}  // namespace

// Chosen once at run time and called through pointers, not by ifunc (target_clones): its resolvers
// run before the sanitizers are ready, and a test could not reach the slower kernels.
const std::array<BulkKernels, kMaxKernels>& SupportedKernels() {
  static const std::array<BulkKernels, kMaxKernels> kernels = FindSupported();
  return kernels;
}

}  // namespace assay::internal
