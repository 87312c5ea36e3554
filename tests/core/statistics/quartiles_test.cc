// Expected values: numpy 2.4, quantile(values, [0.25, 0.5, 0.75]).
#include "core/statistics/quartiles.h"

#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::ElementsAre;

TEST(QuartilesTest, AgreeWithNumpy) {
  EXPECT_THAT(Quartiles({18, 22, 22, 25, 31, 40, 47, 52, 58, 64, 71}), ElementsAre(23.5, 40, 55));
  EXPECT_THAT(Quartiles({-1, 0.5, 3, 3, 3, 3, 7, 9}), ElementsAre(2.375, 3, 4));
  EXPECT_THAT(Quartiles({5}), ElementsAre(5, 5, 5));
  EXPECT_THAT(Quartiles({1, 2}), ElementsAre(1.25, 1.5, 1.75));
}

}  // namespace
}  // namespace assay
