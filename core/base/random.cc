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

void FillNormal(const RandomKey& key, int64_t sample, uint32_t stream, float scale, float* out,
                size_t n) {
  FillNormalGroups({key.words(), FirstCounter(sample, stream)}, scale, out, n);
}

}  // namespace assay
