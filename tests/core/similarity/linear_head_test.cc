#include "core/similarity/linear_head.h"

#include <cmath>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "core/similarity/lbfgs.h"
#include "gtest/gtest.h"
#include "tests/core/similarity/made_up_rows.h"

namespace assay {
namespace {

std::vector<int32_t> Digits(const std::string& text) {
  std::vector<int32_t> digits;
  for (const char digit : text) digits.push_back(digit - '0');
  return digits;
}

// Three classes by sums of features, a fifth of them moved on by one.
constexpr char kLabels[] =
    "120121221210002021101002210220201112201010121011000020110011120211011000200111202100021022201"
    "101200110110102121201100011";

TEST(LinearHead, AgreesWithScikitLearn) {
  // scikit-learn 1.9.1: LogisticRegression(C=1, tol=1e-12) on StandardScaler's features.
  const auto head = LinearHead::Train(MadeUpRows(7, 120, 5), Digits(kLabels));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_NEAR(head->loss(), 0.7646402326711985, 1e-9);
  EXPECT_EQ(head->Predict(MadeUpRows(9, 60, 5)),
            Digits("110002000201010102200202101102112210102011211012110100202011"));
}

TEST(LinearHead, OnlyClassesThatWereSeenArePredicted) {
  std::vector<int32_t> labels = Digits(kLabels);
  for (int32_t& label : labels) label = label == 1 ? 7 : 3;
  const auto head = LinearHead::Train(MadeUpRows(7, 120, 5), labels);
  ASSERT_TRUE(head.ok()) << head.status();
  for (const int32_t prediction : head->Predict(MadeUpRows(9, 60, 5))) {
    EXPECT_TRUE(prediction == 3 || prediction == 7);
  }
  const auto only = LinearHead::Train(MadeUpRows(7, 120, 5), std::vector<int32_t>(120, 4));
  ASSERT_TRUE(only.ok()) << only.status();
  EXPECT_EQ(only->Predict(MadeUpRows(9, 2, 5)), (std::vector<int32_t>{4, 4}));
}

TEST(LinearHead, SeparableClassesHaveAMinimumToo) {
  Rows features(40, 2);
  std::vector<int32_t> labels;
  for (Eigen::Index i = 0; i < 40; ++i) {
    labels.push_back(i % 2 == 0 ? 0 : 1);
    features.row(i) << (i % 2 == 0 ? -1.0f : 1.0f), static_cast<float>(i);
  }
  const auto head = LinearHead::Train(features, labels);
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->Predict(features), labels);
}

TEST(LinearHead, FeaturesThatNeverChangeSayNothing) {
  Rows features = MadeUpRows(7, 120, 5), more(120, 6);
  more << features, Rows::Constant(120, 1, 0.1f);
  const auto head = LinearHead::Train(features, Digits(kLabels));
  const auto with = LinearHead::Train(more, Digits(kLabels));
  ASSERT_TRUE(head.ok() && with.ok());
  EXPECT_NEAR(with->loss(), head->loss(), 1e-10);
  // Not even where they change later.
  more.col(5).setConstant(1e6f);
  EXPECT_EQ(with->Predict(more), head->Predict(features));
}

TEST(LinearHead, WhatHasNoMinimumIsAnError) {
  Rows features = MadeUpRows(7, 120, 5);
  features(3, 2) = std::nanf("");
  EXPECT_EQ(ReasonOf(LinearHead::Train(features, Digits(kLabels)).status()), Reason::kInternal);
}

TEST(Lbfgs, FindsTheMinimumOfAnIllConditionedBowl) {
  const Eigen::VectorXd target = Eigen::VectorXd::LinSpaced(20, -3, 5);
  const auto bowl = [&](const Eigen::VectorXd& point, Eigen::VectorXd* gradient) {
    const Eigen::VectorXd curvatures = Eigen::VectorXd::LinSpaced(20, 1, 1e4);
    const Eigen::VectorXd off = point - target;
    *gradient = curvatures.cwiseProduct(off);
    return off.dot(*gradient) / 2;
  };
  const LbfgsResult found = MinimiseByLbfgs(bowl, Eigen::VectorXd::Zero(20), 1e-9, 500);
  EXPECT_LE(found.largest_gradient, 1e-9);
  EXPECT_LT((found.point - target).norm(), 1e-8);
  EXPECT_EQ(MinimiseByLbfgs(bowl, Eigen::VectorXd::Zero(20), 1e-9, 3).steps, 3);
}

}  // namespace
}  // namespace assay
