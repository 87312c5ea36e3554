#include "core/statistics/separate_difference.h"

#include "core/statistics/binomial_ends.h"
#include "gtest/gtest.h"

namespace assay {
namespace {

TEST(SeparateDifference, TakesTheUnfavourableEnds) {
  const Interval difference = SeparateDifference({0.4, 0.6}, {0.3, 0.5}, 0.5);
  EXPECT_DOUBLE_EQ(difference.lower, 0.15);
  EXPECT_DOUBLE_EQ(difference.upper, 0.45);
  EXPECT_DOUBLE_EQ(LevelOfEach(2, 0.95), 0.975);
}

// beta.ppf of scipy 1.17.
TEST(BinomialEnds, LieBetweenThoseOfWholeCounts) {
  EXPECT_NEAR(BinomialLower(2.5, 10, 0.025), 0.0440594136, 1e-9);
  EXPECT_NEAR(BinomialUpper(2.5, 10, 0.025), 0.6058183181, 1e-9);
  for (const double k : {0.0, 3.0, 10.0}) {
    const Interval whole = ClopperPearson(static_cast<int64_t>(k), 10, 0.5);
    EXPECT_EQ(BinomialLower(k, 10, 0.25), whole.lower);
    EXPECT_EQ(BinomialUpper(k, 10, 0.25), whole.upper);
  }
}

}  // namespace
}  // namespace assay
