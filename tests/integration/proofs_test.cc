// Deterministic bounds and conformal sets through the whole: client, server, engine, report.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;

class ProofsTest : public ZooFixture {
 protected:
  v1::Report Report(const std::string& model, client::DatasetReader& data,
                    const std::vector<std::string>& conditions, int32_t task_samples) {
    last_ = Run(Spec(Upload(model), Upload(data), conditions, task_samples));
    EXPECT_EQ(last_.state(), v1::Evaluation::SUCCEEDED) << last_.failure().message();
    const auto report = ReportOf(last_.name());
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : v1::Report();
  }
  v1::Evaluation last_;
};

// Of the linear model the proof is a closed form: the margin of class k over the budget is z_y -
// z_k minus what the worst image of the budget inside [0, 1] takes from it.
TEST_F(ProofsTest, BoundsOfTheLinearModelAreExact) {
  StartServer();
  GeneratedData data(60, 3, 8, 4);
  constexpr double kEps = 3.0 / 255;
  const v1::Report report =
      Report("linear", data, {"bounds/ibp:eps=3/255", "bounds/crown:eps=3/255"}, 17);

  std::ifstream file(ASSAY_BINARY_DIR "/tests/zoo/linear_weights.txt");
  int classes = 0, channels = 0, height = 0, width = 0;
  file >> classes >> channels >> height >> width;
  ASSERT_EQ(classes, 4);
  std::vector<double> bias(4);
  std::vector<std::vector<double>> weights(4, std::vector<double>(192));
  for (size_t k = 0; k < 4; ++k) {
    file >> bias[k];
    for (double& w : weights[k]) file >> w;
  }
  ASSERT_TRUE(file);
  std::vector<int32_t> labels;
  std::string bytes;
  ASSERT_TRUE(data.Read(0, 60, &labels, &bytes).ok());

  int expected = 0;
  for (const auto& [key, text] : Outcomes(last_.name())) {
    v1::Outcome outcome;
    ASSERT_TRUE(outcome.ParseFromString(text));
    const auto y = static_cast<size_t>(outcome.label());
    double margin = INFINITY;
    for (size_t k = 0; k < 4; ++k) {
      if (k == y) continue;
      double worst = bias[y] - bias[k];
      for (size_t j = 0; j < 192; ++j) {
        const double w = weights[y][j] - weights[k][j];
        const double x =
            static_cast<unsigned char>(bytes[static_cast<size_t>(key.second) * 192 + j]) / 255.0;
        worst += w * (w > 0 ? std::max(0.0, x - kEps) : std::min(1.0, x + kEps));
      }
      margin = std::min(margin, worst);
    }
    EXPECT_NEAR(outcome.bounds().margin(), margin, 1e-5) << key.first << " " << key.second;
    EXPECT_NEAR(outcome.bounds().tightness(), 1, 1e-9);
    expected += margin > 0 ? 1 : 0;
  }
  ASSERT_EQ(report.conditions_size(), 2);
  for (const v1::ConditionReport& condition : report.conditions()) {
    EXPECT_EQ(2 * condition.bounds().certified_accuracy().numerator(), expected);
    EXPECT_GT(condition.bounds().certified_accuracy().numerator(), 0);
    EXPECT_LT(condition.bounds().certified_accuracy().numerator(), condition.correct());
    EXPECT_EQ(condition.bounds().classes_size(), 4);
  }
}

TEST_F(ProofsTest, AConvolutionalModelHasBoundsAndGroupsDoNotMoveThem) {
  StartServer();
  GeneratedData data(30, 3, 8, 4);
  const std::vector<std::string> conditions = {"bounds/crown:eps=1/255+4/255"};
  Report("tiny_cnn", data, conditions, 30);
  const auto whole = Outcomes(last_.name());
  const v1::Report report = Report("tiny_cnn", data, conditions, 7);
  EXPECT_EQ(Outcomes(last_.name()), whole);
  EXPECT_GE(report.conditions(0).bounds().certified(), report.conditions(1).bounds().certified());
  EXPECT_GT(report.conditions(0).bounds().certified(), 0);
}

TEST_F(ProofsTest, AnOperatorWithoutBoundsFailsTheEvaluationByName) {
  StartServer();
  GeneratedData data(4, 3, 8, 4);
  const v1::Evaluation evaluation = Run(Spec(Upload("softmax"), Upload(data), {"bounds/crown"}));
  EXPECT_EQ(evaluation.state(), v1::Evaluation::FAILED);
  EXPECT_EQ(evaluation.failure().reason(), "INVALID_CONDITION");
  EXPECT_THAT(evaluation.failure().message(), HasSubstr("aten::softmax"));
}

TEST_F(ProofsTest, ConformalSetsCoverAndTheSeedSplits) {
  StartServer();
  GeneratedData data(300, 3, 8, 4);
  const v1::Report report =
      Report("linear", data, {"conformal/rscp:sigma=0.1,n=200,alpha=0.2,beta=0.01"}, 70);
  const v1::ConformalReport& conformal = report.conditions(0).conformal();
  EXPECT_EQ(conformal.calibration_samples() + conformal.test_samples(), 300);
  EXPECT_GT(conformal.calibration_samples(), 110);
  EXPECT_GT(conformal.test_samples(), 110);
  // Labels have nothing to do with these images, so that only large sets cover.
  EXPECT_GT(conformal.plain_coverage().upper(), 0.8);
  EXPECT_GE(conformal.coverage().value(), conformal.plain_coverage().value());
  EXPECT_GT(conformal.plain_mean_set_size(), 2);
  EXPECT_DOUBLE_EQ(conformal.delta(), 0.05);
}

}  // namespace
}  // namespace assay::testing
