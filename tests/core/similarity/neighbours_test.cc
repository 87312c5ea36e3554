#include "core/similarity/neighbours.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/statistics/statistics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/similarity/made_up_rows.h"

namespace assay {
namespace {

using ::testing::ElementsAre;

// Every other sample, sorted as a whole.
std::vector<int32_t> BruteForce(const Rows& rows, int k) {
  std::vector<int32_t> result;
  const auto n = static_cast<int32_t>(rows.rows());
  for (int32_t i = 0; i < n; ++i) {
    std::vector<int32_t> others;
    for (int32_t j = 0; j < n; ++j) {
      if (j != i) others.push_back(j);
    }
    const auto cosine = [&](int32_t j) {
      const Eigen::RowVectorXd a = rows.row(i).cast<double>(), b = rows.row(j).cast<double>();
      const double norms = a.norm() * b.norm();
      return norms == 0 ? 0.0f : static_cast<float>(a.dot(b) / norms);
    };
    std::stable_sort(others.begin(), others.end(),
                     [&](int32_t a, int32_t b) { return cosine(a) > cosine(b); });
    std::sort(others.begin(), others.begin() + k);
    result.insert(result.end(), others.begin(), others.begin() + k);
  }
  return result;
}

TEST(Neighbours, AgreeWithScikitLearn) {
  // scikit-learn 1.9.1: NearestNeighbors(metric="cosine", algorithm="brute"), ten, itself excluded.
  Rows a = MadeUpRows(5, 60, 5), b = MadeUpRows(6, 60, 5);
  a.array() -= 0.5f;
  b.array() -= 0.5f;
  b += a;
  const std::vector<int32_t> first = NearestNeighbours(a, 10), second = NearestNeighbours(b, 10);
  EXPECT_THAT(std::vector<int32_t>(first.begin(), first.begin() + 10),
              ElementsAre(6, 14, 16, 24, 35, 37, 43, 44, 46, 56));
  const std::vector<double> jaccard = NeighbourJaccard(first, second, 10);
  ASSERT_EQ(jaccard.size(), 60u);
  EXPECT_NEAR(Mean(jaccard), 0.22753211271013124, 1e-14);
  EXPECT_NEAR(jaccard[1], 1.0 / 3, 1e-15);
  EXPECT_NEAR(jaccard[3], 1.0 / 19, 1e-15);
}

TEST(Neighbours, OfSeveralBlocksAreThoseOfBruteForce) {
  const Rows rows = NormalRows(1, 600, 7);
  EXPECT_EQ(NearestNeighbours(rows, 10), BruteForce(rows, 10));
}

TEST(Neighbours, TiesGoToTheLowerPosition) {
  // Three directions, each of many samples of different lengths: all of one direction are equal.
  Rows rows(530, 3);
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    rows.row(i).setZero();
    rows(i, i % 3) = 1 + static_cast<float>(i);
  }
  const std::vector<int32_t> found = NearestNeighbours(rows, 3);
  EXPECT_EQ(found, BruteForce(rows, 3));
  EXPECT_THAT(std::vector<int32_t>(found.begin(), found.begin() + 3), ElementsAre(3, 6, 9));
  EXPECT_THAT(std::vector<int32_t>(found.end() - 3, found.end()), ElementsAre(1, 4, 7));
}

TEST(Neighbours, ARowOfZerosIsLikeNothing) {
  Rows rows(4, 2);
  rows << 0, 0, 1, 0, -1, 0, 1, 1;
  EXPECT_EQ(NearestNeighbours(rows, 2), BruteForce(rows, 2));
}

TEST(Neighbours, JaccardIsOneOfEqualAndZeroOfOtherNeighbours) {
  EXPECT_THAT(NeighbourJaccard({1, 2, 3, 4}, {1, 2, 5, 6}, 2), ElementsAre(1, 0));
  EXPECT_THAT(NeighbourJaccard({1, 2}, {2, 3}, 2), ElementsAre(1.0 / 3));
}

}  // namespace
}  // namespace assay
