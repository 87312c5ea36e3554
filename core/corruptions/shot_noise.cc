#include "core/corruptions/shot_noise.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <numeric>

#include "core/corruptions/tables.h"

namespace assay::corruptions {
namespace {

constexpr size_t kBytes = 256;
// What a column holds, in units of 2^-64.
constexpr uint64_t kColumn = uint64_t{1} << 56;

// Probabilities of bytes in units of 2^-64; they sum to 2^64. No one of them is 1.
std::array<uint64_t, kBytes> Shares(double mean, double photons) {
  const std::vector<double> counts = PoissonProbabilities(mean);
  std::array<double, kBytes> bytes{};
  for (size_t k = 0; k < counts.size(); ++k) {
    bytes.at(TruncateToByte(static_cast<double>(k) / photons)) += counts[k];
  }
  std::array<uint64_t, kBytes> shares{};
  std::transform(bytes.begin(), bytes.end(), shares.begin(),
                 [](double probability) { return static_cast<uint64_t>(probability * 0x1p64); });
  // What rounding left over, modulo 2^64, goes where it is the least in proportion.
  *std::max_element(shares.begin(), shares.end()) -=
      std::accumulate(shares.begin(), shares.end(), uint64_t{0});
  return shares;
}

struct Column {
  uint64_t limit;
  uint8_t other;
};

// Walker's table: every column of a byte with too little to fill it is filled up by a byte with
// more, whose own column comes later.
std::array<Column, kBytes> FilledColumns(std::array<uint64_t, kBytes> shares) {
  std::array<Column, kBytes> columns{};
  std::vector<uint8_t> poor, rich;
  for (size_t i = 0; i < kBytes; ++i) {
    const auto byte = static_cast<uint8_t>(i);
    (shares[byte] < kColumn ? poor : rich).push_back(byte);
    columns[byte] = {0, byte};
  }
  while (!poor.empty()) {
    const uint8_t byte = poor.back();
    const uint8_t giver = rich.back();
    poor.pop_back();
    columns[byte] = {shares[byte], giver};
    shares[giver] -= kColumn - shares[byte];
    if (shares[giver] < kColumn) {
      rich.pop_back();
      poor.push_back(giver);
    }
  }
  return columns;
}

}  // namespace

std::vector<double> PoissonProbabilities(double mean) {
  constexpr double kNegligible = 1e-30;
  // Relative to the most probable count first, by P(k) = P(k - 1) mean / k.
  const auto mode = static_cast<size_t>(mean);
  std::vector<double> probabilities(mode + 1, 1.0);
  for (size_t k = mode; k > 0; --k) {
    probabilities[k - 1] = probabilities[k] * (static_cast<double>(k) / mean);
  }
  while (probabilities.back() > kNegligible) {
    const auto k = static_cast<double>(probabilities.size());
    probabilities.push_back(probabilities.back() * (mean / k));
  }
  const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
  for (double& probability : probabilities) probability /= sum;
  return probabilities;
}

ShotNoiseTable::ShotNoiseTable(double photons)
    // Black stays black: what is 0 here is right.
    : entries_(kBytes * kBytes), lower_limits_(kBytes * kBytes) {
  for (size_t pixel = 1; pixel < kBytes; ++pixel) {
    size_t at = pixel * kBytes;
    for (const Column& column :
         FilledColumns(Shares(static_cast<double>(pixel) / 255 * photons, photons))) {
      entries_[at] = static_cast<uint32_t>(column.limit >> 32) << 8 | column.other;
      lower_limits_[at] = static_cast<uint32_t>(column.limit);
      ++at;
    }
  }
}

uint8_t ShotNoiseTable::Draw(uint8_t pixel, uint64_t u) const {
  const uint64_t column = u >> 56;
  const size_t at = pixel * kBytes + column;
  const uint64_t limit = uint64_t{entries_[at] >> 8} << 32 | lower_limits_[at];
  return static_cast<uint8_t>(u % kColumn < limit ? column : entries_[at]);
}

void ShotNoiseTable::Apply(RandomStream& random, Image& image) const {
  constexpr size_t kRun = 3072;
  std::array<uint32_t, kRun> words;
  const uint32_t* const entries = entries_.data();
  for (size_t start = 0; start < image.pixels.size(); start += kRun) {
    const size_t count = std::min(kRun, image.pixels.size() - start);
    random.FillBits(words.data(), count);
    uint8_t* pixels = image.pixels.data() + start;
    for (size_t i = 0; i < count; ++i) {
      const uint32_t column = words[i] >> 24;
      const uint32_t rest = words[i] % (1 << 24);
      const uint32_t entry = entries[pixels[i] * kBytes + column];
      const uint32_t limit = entry >> 8;
      if (rest == limit) {
        pixels[i] = Draw(pixels[i], uint64_t{words[i]} << 32 | random.Bits());
      } else {
        pixels[i] = static_cast<uint8_t>(rest < limit ? column : entry);
      }
    }
  }
}

// Poisson(x c) / c.
absl::StatusOr<Step> ShotNoise(Params& params, const Setting& setting) {
  return PreparedBySeverity(
      [](const CorruptionContext& context) {
        const auto table = std::make_shared<const ShotNoiseTable>(Select(kShotNoise, context));
        return [table](RandomStream& random, Image& image) { table->Apply(random, image); };
      },
      params, setting);
}

}  // namespace assay::corruptions
