#include "core/base/sample_order.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SampleOrderTest, IsAPermutationThatTheSeedDecides) {
  std::vector<int64_t> order = SampleOrder(3, 10'000);
  EXPECT_EQ(order, SampleOrder(3, 10'000));
  EXPECT_NE(order, SampleOrder(4, 10'000));
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  std::vector<int64_t> all(10'000);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(order, all);
  EXPECT_THAT(SampleOrder(3, 0), IsEmpty());
  EXPECT_THAT(SampleOrder(3, 1), ElementsAre(0));
}

// Chi-square of which of 5 positions comes first to fifth, over 5,000 seeds: below the 99.9 % point
// of 16 degrees of freedom, 39.25.
TEST(SampleOrderTest, EveryPositionComesAnywhereEquallyOften) {
  constexpr size_t kSamples = 5;
  constexpr int kSeeds = 5000;
  std::array<std::array<int, kSamples>, kSamples> counts{};
  for (int seed = 0; seed < kSeeds; ++seed) {
    const std::vector<int64_t> order = SampleOrder(seed, kSamples);
    for (size_t place = 0; place < kSamples; ++place) {
      ++counts[place][static_cast<size_t>(order[place])];
    }
  }
  double chi_square = 0;
  const double expected = static_cast<double>(kSeeds) / kSamples;
  for (const auto& row : counts) {
    for (const int count : row) chi_square += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi_square, 39.25);
}

}  // namespace
}  // namespace assay
