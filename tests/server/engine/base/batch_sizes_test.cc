#include "server/engine/base/batch_sizes.h"

#include "gmock/gmock.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BatchSizes, HoldAsManyAsTheSmallestThatIsLargeEnough) {
  const BatchSizes sizes({32, 8, 16, 12});
  EXPECT_THAT(sizes.all(), ElementsAre(8, 12, 16, 32));
  EXPECT_EQ(sizes.Holding(1), 8);
  EXPECT_EQ(sizes.Holding(8), 8);
  EXPECT_EQ(sizes.Holding(9), 12);
  EXPECT_EQ(sizes.Holding(17), 32);
}

TEST(BatchSizes, TakeAShareThatFillsABatchExactly) {
  const BatchSizes sizes({8, 12, 16, 32});
  EXPECT_EQ(sizes.Take(100, 50), 32);
  // The share, rounded up to a size.
  EXPECT_EQ(sizes.Take(100, 13), 16);
  // Too few for the share: the largest size that is full.
  EXPECT_EQ(sizes.Take(15, 32), 12);
  EXPECT_EQ(sizes.Take(31, 32), 16);
  // Fewer than the smallest size holds go together.
  EXPECT_EQ(sizes.Take(5, 32), 5);
  EXPECT_EQ(sizes.Take(9, 2), 8);
}

TEST(BatchSizes, OfOneSizeTakeWhatThereIs) {
  const BatchSizes sizes({8});
  EXPECT_EQ(sizes.Take(100, 2), 8);
  EXPECT_EQ(sizes.Take(3, 50), 3);
}

TEST(BatchSizes, HaveInCommonWhatBothHave) {
  EXPECT_THAT(BatchSizes({4, 8, 16}).Common(BatchSizes({8, 12, 16})), ElementsAre(8, 16));
  EXPECT_THAT(BatchSizes({4}).Common(BatchSizes({8})), IsEmpty());
}

}  // namespace
}  // namespace assay::engine
