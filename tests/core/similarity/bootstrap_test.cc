#include "core/similarity/bootstrap.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace assay {
namespace {

std::vector<double> Normals(int64_t seed, size_t n) {
  RandomStream random(RandomKey(seed, "values"), 0, 0);
  std::vector<double> values(n);
  for (double& value : values) value = random.Normal();
  return values;
}

TEST(Bootstrap, OfAMeanIsAboutTheNormalInterval) {
  const std::vector<double> values = Normals(1, 2000);
  const Interval interval = BootstrapMeanInterval(values, 0.95, RandomKey(3, "b"));
  const double half = 1.959964 * StandardDeviation(values) / std::sqrt(2000.0);
  // A quantile of 1,000 draws is off by some 8 % of the half-width itself.
  EXPECT_NEAR(interval.lower, Mean(values) - half, 0.2 * half);
  EXPECT_NEAR(interval.upper, Mean(values) + half, 0.2 * half);
  const Interval narrow = BootstrapMeanInterval(values, 0.5, RandomKey(3, "b"));
  EXPECT_NEAR(narrow.upper - narrow.lower, 2 * half * 0.6745 / 1.96, 0.2 * half);
}

TEST(Bootstrap, CoversTheMeanAsOftenAsItSays) {
  int covered = 0;
  constexpr int kRuns = 300;
  for (int run = 0; run < kRuns; ++run) {
    const Interval interval = BootstrapMeanInterval(Normals(run, 100), 0.9, RandomKey(run, "b"));
    covered += interval.lower <= 0 && 0 <= interval.upper ? 1 : 0;
  }
  // 270 are expected; fewer than 247 or more than 290 would be four standard deviations off.
  EXPECT_GE(covered, 247);
  EXPECT_LE(covered, 290);
}

TEST(Bootstrap, TheSameKeyGivesTheSameIntervalAndAnotherAnother) {
  const std::vector<double> values = Normals(1, 50);
  const Interval one = BootstrapMeanInterval(values, 0.95, RandomKey(3, "b"));
  const Interval again = BootstrapMeanInterval(values, 0.95, RandomKey(3, "b"));
  const Interval other = BootstrapMeanInterval(values, 0.95, RandomKey(4, "b"));
  EXPECT_EQ(one.lower, again.lower);
  EXPECT_EQ(one.upper, again.upper);
  EXPECT_NE(one.lower, other.lower);
}

TEST(Bootstrap, ColumnsAreDrawnTogether) {
  const std::vector<double> values = Normals(1, 80);
  std::vector<double> negated = values;
  for (double& value : negated) value = -value;
  const Interval sum = BootstrapInterval(
      {values, negated}, [](const std::vector<double>& means) { return means[0] + means[1]; }, 0.95,
      RandomKey(3, "b"));
  EXPECT_NEAR(sum.lower, 0, 1e-15);
  EXPECT_NEAR(sum.upper, 0, 1e-15);
}

TEST(Bootstrap, OfValuesThatAreAllTheSameHasNoWidth) {
  const Interval interval = BootstrapMeanInterval({0.25, 0.25, 0.25}, 0.95, RandomKey(3, "b"));
  EXPECT_EQ(interval.lower, 0.25);
  EXPECT_EQ(interval.upper, 0.25);
}

}  // namespace
}  // namespace assay
