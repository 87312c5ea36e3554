#include "core/similarity/linear_cka.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tests/core/similarity/made_up_rows.h"

namespace assay {
namespace {

LinearCka Cka(const Rows& x, const Rows& y) {
  return LinearCka(CenteredFeatures(x), CenteredFeatures(y));
}

// More samples than features.
std::pair<Rows, Rows> Tall() {
  const Rows x = MadeUpRows(1, 40, 6);
  Rows y = MadeUpRows(2, 40, 4);
  y.col(0) += 2 * x.col(0);
  y.col(1) -= x.col(1);
  return {x, y};
}

// More features than samples: by the matrices of samples.
std::pair<Rows, Rows> Wide() {
  const Rows x = MadeUpRows(3, 12, 50);
  Rows y = MadeUpRows(4, 12, 30);
  y.leftCols(10) += x.leftCols(10);
  return {x, y};
}

TEST(LinearCka, AgreesWithTheDenseFormula) {
  // numpy 2.4.6, double precision: sum(K L) / sqrt(sum(K K) sum(L L)) of K = H X X' H and
  // L = H Y Y' H with the centring matrix H, and tr(K) tr(L) / ((n - 1) |K| |L|).
  const auto [x, y] = Tall();
  EXPECT_NEAR(Cka(x, y).value(), 0.4842092474005964, 1e-6);
  EXPECT_NEAR(Cka(x, y).by_chance(), 0.088645109527454, 1e-6);
  const auto [wide_x, wide_y] = Wide();
  EXPECT_NEAR(Cka(wide_x, wide_y).value(), 0.8632601209795397, 1e-6);
  EXPECT_NEAR(Cka(wide_x, wide_y).by_chance(), 0.7731106063380817, 1e-6);
}

TEST(LinearCka, OfSamplesInSeveralBlocksIsTheSameEitherWay) {
  // 600 samples of 5 and of 700 features: the first by features, the second by samples.
  const Rows x = MadeUpRows(5, 600, 5), wide = MadeUpRows(6, 600, 700);
  Eigen::MatrixXd k = x.cast<double>(), l = wide.cast<double>();
  k.rowwise() -= k.colwise().mean().eval();
  l.rowwise() -= l.colwise().mean().eval();
  const Eigen::MatrixXd x_kernel = k * k.transpose(), y_kernel = l * l.transpose();
  const auto dense = [](const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
    return a.cwiseProduct(b).sum() / (a.norm() * b.norm());
  };
  EXPECT_NEAR(Cka(x, wide).value(), dense(x_kernel, y_kernel), 1e-6);
  EXPECT_NEAR(Cka(wide, wide).value(), 1, 1e-12);
}

TEST(LinearCka, IsOneOfFeaturesThatAreRotatedScaledOrMoved) {
  const Rows x = MadeUpRows(1, 50, 3);
  // A rotation: the columns of an orthogonal matrix.
  Eigen::Matrix3f rotation;
  rotation << 0.6f, -0.8f, 0, 0.8f, 0.6f, 0, 0, 0, 1;
  Rows y = 7 * x * rotation;
  y.array() += 3;
  EXPECT_NEAR(Cka(x, y).value(), 1, 1e-6);
  EXPECT_EQ(Cka(x, x).value(), 1);
  const Interval sure = Cka(x, x).Bootstrapped(0.95, RandomKey(1, "b"));
  EXPECT_EQ(sure.lower, 1);
  EXPECT_EQ(sure.upper, 1);
}

TEST(LinearCka, IsZeroOfUncorrelatedFeatures) {
  Rows x(4, 1), y(4, 1);
  x << 1, 1, -1, -1;
  y << 1, -1, 1, -1;
  EXPECT_EQ(Cka(x, y).value(), 0);
}

TEST(LinearCka, OfUnrelatedFeaturesIsAboutWhatIsExpectedByChance) {
  // As many features as samples: far from zero.
  const Rows x = NormalRows(1, 100, 100), y = NormalRows(2, 100, 100);
  EXPECT_GT(Cka(x, y).by_chance(), 0.4);
  EXPECT_NEAR(Cka(x, y).value(), Cka(x, y).by_chance(), 0.03);
}

TEST(LinearCka, FeaturesThatNeverChangeAreToldApart) {
  EXPECT_TRUE(CenteredFeatures(Rows::Constant(5, 3, 0.1f)).constant());
  EXPECT_FALSE(CenteredFeatures(MadeUpRows(1, 5, 3)).constant());
}

TEST(LinearCka, ItsIntervalCoversThePopulationsValueAsOftenAsItSays) {
  // y = (x1 + z1, x2 / 2 + z2) of independent standard normals: with covariances I of x, diag(1,
  // 1/2) between them and diag(2, 5/4) of y, CKA is (1 + 1/4) / (sqrt(2) sqrt(4 + 25/16)).
  const double truth = 1.25 / (std::sqrt(2.0) * std::sqrt(4 + 25.0 / 16));
  int covered = 0;
  constexpr int kRuns = 200;
  for (int run = 0; run < kRuns; ++run) {
    const Rows x = NormalRows(3 * run, 400, 2);
    Rows y = NormalRows(3 * run + 1, 400, 2);
    y.col(0) += x.col(0);
    y.col(1) += x.col(1) / 2;
    const Interval interval = Cka(x, y).Bootstrapped(0.9, RandomKey(run, "b"));
    covered += interval.lower <= truth && truth <= interval.upper ? 1 : 0;
  }
  // 180 are expected; four standard deviations are 17.
  EXPECT_GE(covered, 163);
  EXPECT_LE(covered, 197);
}

}  // namespace
}  // namespace assay
