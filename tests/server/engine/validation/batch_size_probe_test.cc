#include "server/engine/validation/batch_size_probe.h"

#include "core/base/errors.h"
#include "gmock/gmock.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Shape kShape{1, 2, 3};

// A pass whose result for an image is the sum of its pixels and what `noise` says of the size of
// the batch and the image's place in it.
template <typename Noise>
ProbedPass Pass(const Noise& noise) {
  return [noise](const float* images, int rows, std::vector<float>* results) {
    for (int row = 0; row < rows; ++row) {
      float sum = noise(rows, row);
      for (size_t i = 0; i < kShape.size(); ++i) {
        sum += images[static_cast<size_t>(row) * kShape.size() + i];
      }
      results->push_back(sum);
    }
    return absl::OkStatus();
  };
}

std::vector<int> Sizes(const absl::StatusOr<ProbedSizes>& probed) {
  EXPECT_TRUE(probed.ok()) << probed.status();
  return probed.ok() ? probed->sizes : std::vector<int>();
}

TEST(BatchSizeProbe, AllSizesThatAgreeAreTaken) {
  const auto probed = ProbeBatchSizes(kShape, {4, 8, 16}, Pass([](int, int) { return 0.0F; }));
  EXPECT_THAT(Sizes(probed), ElementsAre(4, 8, 16));
  EXPECT_EQ(probed->digest.size(), 64u);
}

TEST(BatchSizeProbe, TheLargestSetThatAgreesIsTaken) {
  const auto small = Pass([](int rows, int) { return rows < 8 ? 1e-6F : 0.0F; });
  EXPECT_THAT(Sizes(ProbeBatchSizes(kShape, {4, 8, 12, 16}, small)), ElementsAre(8, 12, 16));
  // Of two that are as large, the one with the larger sizes.
  const auto half = Pass([](int rows, int) { return rows < 10 ? 1e-6F : 0.0F; });
  EXPECT_THAT(Sizes(ProbeBatchSizes(kShape, {4, 8, 12, 16}, half)), ElementsAre(12, 16));
}

TEST(BatchSizeProbe, ASizeAtWhichThePlaceMattersIsNot) {
  const auto last = Pass([](int rows, int row) { return rows == 8 && row == 7 ? 1e-6F : 0.0F; });
  EXPECT_THAT(Sizes(ProbeBatchSizes(kShape, {4, 8, 16}, last)), ElementsAre(4, 16));
}

TEST(BatchSizeProbe, WhereNoTwoAgreeThereIsNone) {
  const auto all = Pass([](int rows, int) { return static_cast<float>(rows) * 1e-3F; });
  const auto probed = ProbeBatchSizes(kShape, {4, 8, 16}, all);
  EXPECT_THAT(Sizes(probed), IsEmpty());
  EXPECT_EQ(probed->digest, "");
}

TEST(BatchSizeProbe, TheDigestIsThatOfTheResults) {
  const auto one = ProbeBatchSizes(kShape, {4, 8}, Pass([](int, int) { return 0.0F; }));
  const auto same = ProbeBatchSizes(kShape, {4, 8, 16}, Pass([](int, int) { return 0.0F; }));
  const auto other = ProbeBatchSizes(kShape, {4, 8}, Pass([](int, int) { return 1e-6F; }));
  ASSERT_TRUE(one.ok() && same.ok() && other.ok());
  EXPECT_EQ(one->digest, same->digest);
  EXPECT_NE(one->digest, other->digest);
}

TEST(BatchSizeProbe, SizesThatDoNotFitIntoMemoryAreLeftOutAndOtherErrorsEndIt) {
  const auto failing = [](Reason reason) {
    return [reason](const float* images, int rows, std::vector<float>* results) -> absl::Status {
      if (rows > 8) return Error(reason, "too much");
      return Pass([](int, int) { return 0.0F; })(images, rows, results);
    };
  };
  EXPECT_THAT(Sizes(ProbeBatchSizes(kShape, {4, 8, 16}, failing(Reason::kOutOfMemory))),
              ElementsAre(4, 8));
  EXPECT_EQ(ReasonOf(ProbeBatchSizes(kShape, {4, 8, 16}, failing(Reason::kModelFailed)).status()),
            Reason::kModelFailed);
}

}  // namespace
}  // namespace assay::engine
