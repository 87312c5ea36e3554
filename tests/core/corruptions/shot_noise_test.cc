// Shot noise against Poisson's probabilities: the table bit by bit, and what is drawn by it.
#include "core/corruptions/shot_noise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/corruptions/tables.h"
#include "gtest/gtest.h"

namespace assay::corruptions {
namespace {

// m^k e^-m / k!, by logarithms.
long double Probability(double mean, size_t k) {
  if (mean == 0) return k == 0 ? 1 : 0;
  const auto m = static_cast<long double>(mean);
  const auto n = static_cast<long double>(k);
  return std::exp(n * std::log(m) - m - std::lgamma(n + 1));
}

// Of each byte, summed over the counts that become it.
std::array<long double, 256> ByteProbabilities(uint8_t pixel, double photons) {
  const double mean = pixel / 255.0 * photons;
  std::array<long double, 256> bytes{};
  for (size_t k = 0; static_cast<double>(k) < mean + 40 * std::sqrt(mean) + 40; ++k) {
    const double value = std::min(static_cast<double>(k) / photons, 1.0);
    bytes.at(static_cast<size_t>(value * 255)) += Probability(mean, k);
  }
  return bytes;
}

std::vector<double> AllPhotons() {
  std::vector<double> all = {1, 37.5, 1275};
  for (const auto& row : kShotNoise) all.insert(all.end(), row.begin(), row.end());
  return all;
}

TEST(PoissonProbabilities, AreExactInTheMiddleAndInBothTails) {
  for (double mean :
       {0.0, 1e-9, 1e-3, 3 / 255.0, 0.5, 1.0, 3.0, 9.99, 10.0, 11.5, 40.0, 180.0, 500.0, 1275.0}) {
    SCOPED_TRACE(mean);
    const std::vector<double> probabilities = PoissonProbabilities(mean);
    for (size_t k = 0; k < probabilities.size(); ++k) {
      const auto exact = static_cast<double>(Probability(mean, k));
      EXPECT_NEAR(probabilities[k], exact, 1e-13 * exact) << k;
    }
    EXPECT_LT(Probability(mean, probabilities.size()), 1e-30L);
  }
}

// Adds how many of the 2^56 values of u in a column give each byte. The byte changes at most once.
void AddShares(const ShotNoiseTable& table, uint8_t pixel, uint64_t column,
               std::array<uint64_t, 256>& shares) {
  const auto draw = [&](uint64_t rest) { return table.Draw(pixel, column << 56 | rest); };
  constexpr uint64_t kAll = uint64_t{1} << 56;
  const uint8_t first = draw(0), last = draw(kAll - 1);
  uint64_t low = 0, high = kAll - 1;  // draw(low) is `first`, draw(high) is `last`
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (draw(middle) == first ? low : high) = middle;
  }
  shares.at(first) += high;
  shares.at(last) += kAll - high;
}

TEST(ShotNoiseTable, GivesEveryByteItsExactShareOfAll64BitNumbers) {
  for (double photons : AllPhotons()) {
    const ShotNoiseTable table(photons);
    for (size_t pixel = 1; pixel < 256; ++pixel) {
      SCOPED_TRACE(absl::StrCat(photons, " photons, pixel ", pixel));
      const auto value = static_cast<uint8_t>(pixel);
      std::array<uint64_t, 256> shares{};
      for (uint64_t column = 0; column < 256; ++column) AddShares(table, value, column, shares);
      const std::array<long double, 256> exact = ByteProbabilities(value, photons);
      for (size_t byte = 0; byte < 256; ++byte) {
        const auto expected = static_cast<double>(exact[byte]);
        ASSERT_NEAR(static_cast<double>(shares[byte]) * 0x1p-64, expected,
                    1e-13 * expected + 0x1p-63)
            << "byte " << byte;
      }
    }
  }
}

TEST(ShotNoiseTable, LeavesBlackBlack) {
  for (double photons : AllPhotons()) {
    const ShotNoiseTable table(photons);
    for (uint64_t column = 0; column < 256; ++column) {
      EXPECT_EQ(table.Draw(0, column << 56), 0);
      EXPECT_EQ(table.Draw(0, column << 56 | 0xFFFFFFFFFFFFFF), 0);
    }
  }
}

// Values that go up and down through all of them.
Image Gradient(int side) {
  Image image{side, side, 1, {}};
  for (int i = 0; i < side * side; ++i) {
    image.pixels.push_back(static_cast<uint8_t>(i * 7 + i / 256));
  }
  return image;
}

// The upper half of a u leaves a result open once in millions of times. In each of these samples,
// found by a search with this loop, it does so once.
TEST(ShotNoiseTable, AppliesWhatItDrawsAndMakesLowerHalvesWhereTheyDecide) {
  const Image before = Gradient(55);
  const ShotNoiseTable table(500);
  const RandomKey key(20, "shot");
  for (int64_t sample : {21837, 24179, 43914, 49800, 91333, 115355, 132155, 136615, 141532, 148159,
                         173323, 177912}) {
    SCOPED_TRACE(sample);
    RandomStream random(key, sample, 0);
    std::vector<uint32_t> words(before.pixels.size());
    random.FillBits(words.data(), words.size());
    int open = 0;
    Image expected = before;
    for (size_t i = 0; i < words.size(); ++i) {
      const uint8_t pixel = before.pixels[i];
      uint64_t u = uint64_t{words[i]} << 32;
      if (table.Draw(pixel, u) != table.Draw(pixel, u | 0xFFFFFFFF)) {
        u |= random.Bits();
        ++open;
      }
      expected.pixels[i] = table.Draw(pixel, u);
    }
    EXPECT_EQ(open, 1);
    Image after = before;
    RandomStream again(key, sample, 0);
    table.Apply(again, after);
    EXPECT_EQ(after.pixels, expected.pixels);
  }
}

// What follows a run of 3072 elements begins where its draws have ended.
TEST(ShotNoiseTable, AppliesAnyNumberOfElements) {
  const ShotNoiseTable table(60);
  const Image whole = Gradient(90);
  const RandomKey key(20, "shot");
  Image drawn = whole;
  RandomStream random(key, 0, 0);
  table.Apply(random, drawn);
  for (size_t count : {0u, 1u, 255u, 3071u, 3072u, 3073u, 6144u, 8000u}) {
    Image part{1, static_cast<int>(count), 1, {whole.pixels.begin(), whole.pixels.begin() + count}};
    RandomStream again(key, 0, 0);
    table.Apply(again, part);
    EXPECT_TRUE(std::equal(part.pixels.begin(), part.pixels.end(), drawn.pixels.begin())) << count;
  }
}

// Computed from the definitions with exact fractions, in Python.
TEST(ShotNoiseTable, DrawsTheSameForEver) {
  const auto drawn = [](double photons) {
    Image image{1, 24, 1, {}};
    for (int i = 0; i < 24; ++i) image.pixels.push_back(static_cast<uint8_t>(11 * i));
    RandomStream random(RandomKey(0, "corruption/shot_noise"), /*sample=*/7, /*stream=*/3);
    ShotNoiseTable(photons).Apply(random, image);
    return image.pixels;
  };
  EXPECT_EQ(drawn(500),
            (std::vector<uint8_t>{0,   7,   23,  30,  45,  49,  67,  75,  84,  111, 104, 118,
                                  130, 144, 155, 163, 175, 184, 209, 204, 227, 225, 255, 236}));
  EXPECT_EQ(drawn(12),
            (std::vector<uint8_t>{0,  0,   21,  21, 63,  21,  85,  63,  63,  191, 63,  85,
                                  63, 170, 148, 85, 148, 148, 255, 170, 233, 191, 255, 255}));
}

class ShotNoiseOn : public testing::TestWithParam<std::tuple<double, int>> {};

// Pearson's test, with neighbouring bytes pooled until 10 draws are expected.
TEST_P(ShotNoiseOn, AUniformImageHasTheExactDistribution) {
  const auto [photons, pixel] = GetParam();
  const auto value = static_cast<uint8_t>(pixel);
  constexpr size_t kDraws = 400'000;
  Image image{1, static_cast<int>(kDraws), 1, std::vector<uint8_t>(kDraws, value)};
  RandomStream random(RandomKey(21, "chi-squared"), pixel, static_cast<uint32_t>(photons));
  ShotNoiseTable(photons).Apply(random, image);
  std::array<double, 256> seen{};
  for (uint8_t byte : image.pixels) ++seen.at(byte);
  const std::array<long double, 256> exact = ByteProbabilities(value, photons);
  std::vector<std::array<double, 2>> cells = {{0, 0}};  // seen, expected
  for (size_t byte = 0; byte < 256; ++byte) {
    const auto expected = static_cast<double>(kDraws * exact[byte]);
    if (exact[byte] < 1e-15L) {
      EXPECT_EQ(seen[byte], 0) << byte;
    }
    if (cells.back()[1] >= 10) cells.push_back({0, 0});
    cells.back()[0] += seen[byte];
    cells.back()[1] += expected;
  }
  if (cells.size() > 1 && cells.back()[1] < 10) {  // the upper tail
    const std::array<double, 2> rest = cells.back();
    cells.pop_back();
    cells.back()[0] += rest[0];
    cells.back()[1] += rest[1];
  }
  double chi = 0;
  for (const auto& [observed, expected] : cells) {
    chi += (observed - expected) * (observed - expected) / expected;
  }
  const double degrees = static_cast<double>(cells.size()) - 1;
  EXPECT_LT(chi, degrees + 4.5 * std::sqrt(2 * degrees) + 10);
}

INSTANTIATE_TEST_SUITE_P(FewAndManyPhotons, ShotNoiseOn,
                         testing::Combine(testing::Values(3, 12, 50, 100, 255, 500, 1275),
                                          testing::Values(0, 1, 2, 30, 102, 200, 254, 255)));

}  // namespace
}  // namespace assay::corruptions
