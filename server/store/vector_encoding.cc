#include "server/store/vector_encoding.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::store {
namespace {

// Bits of the fraction. The exponents of both are those of IEEE half.
constexpr uint32_t kHalfBits = 10;
constexpr uint32_t kProbabilityBits = 12;
constexpr uint32_t kFloatBits = 23;
// From the exponents of float32, whose bias is 127, to those of half: 15.
constexpr uint32_t kBias = (127U - 15U) << kFloatBits;
// As float32: 2^-14, below which numbers are multiples of 2^-14 of the last bit.
constexpr uint32_t kSmallestNormal = 0x38800000U;

constexpr float kLargestHalf = 65504;
// Halves below 2^-14 are 2^-24 apart, so none is off by more than 2^-15 of this.
constexpr float kSmallestLargest = 0x1p-10F;

uint32_t BitsOf(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

float FromBits(uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// Of a number from 0 to what the format holds; ties to even.
uint16_t Narrow(uint32_t bits, uint32_t fraction_bits) {
  const uint32_t dropped = kFloatBits - fraction_bits;
  if (bits < kSmallestNormal) {
    // The sum has as many bits behind the point as the format, and was rounded to them.
    const float shift = std::ldexp(1.0F, 9 - static_cast<int>(fraction_bits));
    return static_cast<uint16_t>(BitsOf(FromBits(bits) + shift) - BitsOf(shift));
  }
  const uint32_t odd = (bits >> dropped) & 1U;
  return static_cast<uint16_t>((bits - kBias + (1U << (dropped - 1)) - 1 + odd) >> dropped);
}

uint32_t Widen(uint32_t narrow, uint32_t fraction_bits) {
  if (narrow >= 1U << fraction_bits) return (narrow << (kFloatBits - fraction_bits)) + kBias;
  return BitsOf(std::ldexp(static_cast<float>(narrow), -14 - static_cast<int>(fraction_bits)));
}

bool FitsHalf(const std::vector<float>& values, size_t size) {
  for (size_t first = 0; first < values.size(); first += size) {
    float largest = 0;
    for (size_t i = first; i < first + size; ++i) largest = std::max(largest, std::abs(values[i]));
    if (largest > kLargestHalf || (largest > 0 && largest < kSmallestLargest)) return false;
  }
  return true;
}

// The largest number of each vector becomes what the others leave of 1.
void AddUpToOne(std::vector<float>& values, size_t size) {
  for (size_t first = 0; first < values.size(); first += size) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = begin + static_cast<std::ptrdiff_t>(size);
    const auto largest = std::max_element(begin, end);
    *largest = 0;
    double others = 0;
    for (auto value = begin; value != end; ++value) others += static_cast<double>(*value);
    *largest = static_cast<float>(1 - others);
  }
}

}  // namespace

uint16_t HalfOf(float value) {
  const uint32_t bits = BitsOf(std::abs(value));
  const uint32_t sign = std::signbit(value) ? 0x8000U : 0;
  if (bits > 0x7f800000U) return static_cast<uint16_t>(sign | 0x7e00U);
  if (bits >= 0x477ff000U) return static_cast<uint16_t>(sign | 0x7c00U);
  return static_cast<uint16_t>(sign | Narrow(bits, kHalfBits));
}

float FloatOf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t rest = half & 0x7fffU;
  if (rest >= 0x7c00U) return FromBits(sign | 0x7f800000U | ((rest & 0x3ffU) << 13));
  return FromBits(sign | Widen(rest, kHalfBits));
}

std::string EncodeVectors(v1::VectorKind kind, const std::vector<float>& values, size_t size) {
  const bool probabilities = kind == v1::PROBABILITIES;
  if (!probabilities && !FitsHalf(values, size)) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
  }
  std::string bytes(values.size() * sizeof(uint16_t), '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t narrow =
        probabilities ? Narrow(BitsOf(values[i]), kProbabilityBits) : HalfOf(values[i]);
    std::memcpy(&bytes[i * sizeof(narrow)], &narrow, sizeof(narrow));
  }
  return bytes;
}

absl::StatusOr<std::vector<float>> DecodeVectors(v1::VectorKind kind, absl::string_view bytes,
                                                 size_t count, size_t size) {
  const bool probabilities = kind == v1::PROBABILITIES;
  std::vector<float> values(count * size);
  if (bytes.size() == values.size() * sizeof(uint16_t)) {
    for (size_t i = 0; i < values.size(); ++i) {
      uint16_t narrow = 0;
      std::memcpy(&narrow, &bytes[i * sizeof(narrow)], sizeof(narrow));
      values[i] = probabilities ? FromBits(Widen(narrow, kProbabilityBits)) : FloatOf(narrow);
    }
    if (probabilities) AddUpToOne(values, size);
  } else if (bytes.size() == values.size() * sizeof(float) && !probabilities) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
  } else {
    return Error(Reason::kInternal, absl::StrCat("kept vectors, ", count, " of ", size,
                                                 " numbers, have ", bytes.size(), " bytes"))
        .ToStatus();
  }
  return values;
}

}  // namespace assay::store
