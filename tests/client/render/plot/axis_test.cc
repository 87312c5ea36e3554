#include "client/render/plot/axis.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gmock/gmock.h"

namespace assay::plot {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pointwise;

TEST(RoundTicksTest, StepsAreOneTwoOrFiveTimesAPowerOfTen) {
  EXPECT_THAT(RoundTicks({0, 100}, 6), ElementsAre(0, 20, 40, 60, 80, 100));
  EXPECT_THAT(RoundTicks({0, 1}, 5),
              Pointwise(DoubleNear(1e-12), std::vector<double>{0, 0.2, 0.4, 0.6, 0.8, 1}));
  EXPECT_THAT(RoundTicks({0, 8.24}, 8), ElementsAre(0, 2, 4, 6, 8));
  EXPECT_THAT(
      RoundTicks({0, 0.031}, 8),
      Pointwise(DoubleNear(1e-12), std::vector<double>{0, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03}));
  EXPECT_THAT(RoundTicks({-3, 3}, 3), ElementsAre(-2, 0, 2));
  for (const double width : {1e-7, 0.37, 1.0, 7.3, 99.0, 12345.0}) {
    const auto ticks = RoundTicks({0, width}, 8);
    ASSERT_GE(ticks.size(), 3u) << width;
    ASSERT_LE(ticks.size(), 9u) << width;
    const double step = ticks[1] - ticks[0];
    const double digit = step / std::pow(10, std::floor(std::log10(step) + 1e-9));
    EXPECT_TRUE(std::abs(digit - 1) < 1e-6 || std::abs(digit - 2) < 1e-6 ||
                std::abs(digit - 5) < 1e-6)
        << width << " " << step;
  }
}

TEST(RoundTicksTest, EndsOfTheRangeThatAreTicksButForRoundingCount) {
  EXPECT_EQ(RoundTicks({0, 0.1 + 0.2 - 1e-17}, 3).size(), 4u);
  EXPECT_EQ(RoundTicks({0, 0.3}, 3).size(), 4u);
}

TEST(RoundTicksTest, NoRangeHasNoTicks) {
  EXPECT_THAT(RoundTicks({1, 1}, 5), IsEmpty());
  EXPECT_THAT(RoundTicks({0, std::numeric_limits<double>::infinity()}, 5), IsEmpty());
  EXPECT_THAT(RoundTicks({0, std::nan("")}, 5), IsEmpty());
}

TEST(TickLabelsTest, DigitsAreThoseOfTheStep) {
  EXPECT_THAT(TickLabels({0, 20, 40}), ElementsAre("0", "20", "40"));
  EXPECT_THAT(TickLabels({0, 0.5, 1}), ElementsAre("0.0", "0.5", "1.0"));
  EXPECT_THAT(TickLabels({0, 0.005, 0.01}), ElementsAre("0.000", "0.005", "0.010"));
  EXPECT_THAT(TickLabels({-0.2, -1e-17, 0.2}), ElementsAre("-0.2", "0.0", "0.2"));
}

TEST(ScaleTest, NumbersBecomePositionsAndStayInside) {
  const Scale up({0, 100}, {258, 10});
  EXPECT_EQ(up(0), 258);
  EXPECT_EQ(up(100), 10);
  EXPECT_EQ(up(50), 134);
  EXPECT_EQ(up(120), 10);
  EXPECT_EQ(up(-1), 258);
}

}  // namespace
}  // namespace assay::plot
