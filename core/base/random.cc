#include "core/base/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/fast_normal.h"

namespace assay {
namespace {

constexpr double kTwoPi = 6.283185307179586;
constexpr double kPtrsFrom = 10;

std::array<uint32_t, 4> FirstCounter(int64_t sample, uint32_t stream) {
  const auto bits = static_cast<uint64_t>(sample);
  return {0, stream, static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32)};
}

// 53 bits in [0, 1).
double UniformDouble(RandomStream& random) {
  const uint64_t high = random.Bits() >> 5;
  const uint64_t low = random.Bits() >> 6;
  return static_cast<double>(high << 26 | low) * 0x1p-53;
}

// ln k!: exact products for small k, Stirling's series above, where its error is below 1e-13.
double LogFactorial(double k) {
  if (k < 10) {
    double product = 1;
    for (int i = 2; i <= static_cast<int>(k); ++i) product *= i;
    return std::log(product);
  }
  const double n = k + 1;
  const double inverse_square = 1 / (n * n);
  const double series =
      (1.0 / 12 -
       inverse_square * (1.0 / 360 - inverse_square * (1.0 / 1260 - inverse_square / 1680))) /
      n;
  return (n - 0.5) * std::log(n) - n + 0.5 * std::log(kTwoPi) + series;
}

// Fills out[0, n) by whole groups, the last one by way of a buffer; returns how many blocks were
// used.
template <typename T, typename Kernel>
uint32_t FillGroups(const internal::GroupStart& start, T* out, size_t n, const Kernel& kernel) {
  const size_t whole = n / internal::kGroupWords;
  const size_t rest = n % internal::kGroupWords;
  kernel(start, whole, out);
  auto blocks = static_cast<uint32_t>(whole * internal::kGroupBlocks);
  if (rest > 0) {
    internal::GroupStart last = start;
    last.counter[0] += blocks;
    std::array<T, internal::kGroupWords> buffer;
    kernel(last, 1, buffer.data());
    std::copy_n(buffer.data(), rest, out + whole * internal::kGroupWords);
    blocks += static_cast<uint32_t>(internal::kGroupBlocks);
  }
  return blocks;
}

uint32_t FillNormalGroups(const internal::GroupStart& start, float scale, float* out, size_t n) {
  const internal::BulkKernels& kernels = internal::SupportedKernels().front();
  return FillGroups(start, out, n, [&](const internal::GroupStart& from, size_t groups, float* to) {
    kernels.normals(from, scale, groups, to);
  });
}

}  // namespace

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

RandomKey::RandomKey(int64_t seed, absl::string_view condition_id) : words_{} {
  const std::string digest =
      Sha256Hex(absl::StrCat(seed, absl::string_view("\0", 1), condition_id));
  for (size_t byte = 0; byte < 8; ++byte) {
    const auto value = static_cast<uint32_t>(std::stoul(digest.substr(2 * byte, 2), nullptr, 16));
    words_[byte / 4] |= value << (8 * (byte % 4));
  }
}

RandomStream::RandomStream(const RandomKey& key, int64_t sample, uint32_t stream)
    : key_(key.words()), counter_(FirstCounter(sample, stream)) {}

uint32_t RandomStream::Bits() {
  if (used_ == block_.size()) {
    block_ = Philox4x32(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  return block_[used_++];
}

float RandomStream::Uniform() { return static_cast<float>(Bits() >> 8) * 0x1p-24f; }

double RandomStream::Uniform(double lower, double upper) {
  const double value = lower + (upper - lower) * UniformDouble(*this);
  // The sum may round up to the excluded end.
  return value < upper ? value : std::nextafter(upper, lower);
}

uint32_t RandomStream::Below(uint32_t n) {
  uint64_t product = uint64_t{Bits()} * n;
  if (static_cast<uint32_t>(product) < n) {
    const uint32_t threshold = (0u - n) % n;
    while (static_cast<uint32_t>(product) < threshold) product = uint64_t{Bits()} * n;
  }
  return static_cast<uint32_t>(product >> 32);
}

double RandomStream::Normal() {
  if (has_spare_normal_) {
    has_spare_normal_ = false;
    return spare_normal_;
  }
  const double u = 1 - UniformDouble(*this);  // (0, 1]
  const double radius = std::sqrt(-2 * std::log(u));
  const double angle = kTwoPi * UniformDouble(*this);
  spare_normal_ = radius * std::sin(angle);
  has_spare_normal_ = true;
  return radius * std::cos(angle);
}

void RandomStream::FillBits(uint32_t* out, size_t n) {
  const internal::BulkKernels& kernels = internal::SupportedKernels().front();
  counter_[0] += FillGroups({key_, counter_}, out, n, kernels.bits);
  used_ = block_.size();
}

void RandomStream::FillNormal(float scale, float* out, size_t n) {
  counter_[0] += FillNormalGroups({key_, counter_}, scale, out, n);
  used_ = block_.size();
}

PoissonDistribution::PoissonDistribution(double mean) : mean_(mean) {
  if (mean < kPtrsFrom) {
    zero_probability_ = std::exp(-mean);
    return;
  }
  log_mean_ = std::log(mean);
  b_ = 0.931 + 2.53 * std::sqrt(mean);
  a_ = -0.059 + 0.02483 * b_;
  accept_ = 0.9277 - 3.6224 / (b_ - 2);
  log_inverse_alpha_ = std::log(1.1239 + 1.1328 / (b_ - 3.4));
}

int64_t PoissonDistribution::Invert(double uniform) const {
  int64_t k = 0;
  double probability = zero_probability_;
  // Rounding may leave the sum of all probabilities just below `uniform`; terms this small cannot
  // be told from that.
  constexpr double kNegligible = 1e-18;
  while (uniform >= probability && probability > kNegligible) {
    uniform -= probability;
    ++k;
    probability *= mean_ / static_cast<double>(k);
  }
  return k;
}

int64_t PoissonDistribution::operator()(RandomStream& random) const {
  if (mean_ < kPtrsFrom) return Invert(UniformDouble(random));
  while (true) {
    const double u = UniformDouble(random) - 0.5;
    const double v = 1 - UniformDouble(random);  // (0, 1]
    const double us = 0.5 - std::abs(u);
    if (us == 0) continue;  // u = -1/2 would divide by 0, and lies outside the region of acceptance
    const double k = std::floor((2 * a_ / us + b_) * u + mean_ + 0.43);
    if (us >= 0.07 && v <= accept_) return static_cast<int64_t>(k);
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v) + log_inverse_alpha_ - std::log(a_ / (us * us) + b_) <=
        k * log_mean_ - mean_ - LogFactorial(k)) {
      return static_cast<int64_t>(k);
    }
  }
}

void FillNormal(const RandomKey& key, int64_t sample, uint32_t stream, float scale, float* out,
                size_t n) {
  FillNormalGroups({key.words(), FirstCounter(sample, stream)}, scale, out, n);
}

}  // namespace assay
