// Randomized smoothing and what happens around it: killed engines and servers in the midst of the
// anytime mode, smoothed ensembles from the command line, and an alpha that samples share.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "core/conditions/smoothing_setting.h"
#include "core/statistics/smoothing_certificate.h"
#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;

class SmoothingServiceTest : public ZooFixture {
 protected:
  int64_t TasksDone(const std::string& evaluation) {
    return client_->GetEvaluation(evaluation)->progress().tasks_done();
  }
};

TEST_F(SmoothingServiceTest, AnytimeOutcomesSurviveKillsBitByBit) {
  StartServer();
  GeneratedData data(40, 3, 8, 4);
  const std::string model = Upload("slow"), dataset = Upload(data);
  const v1::EvaluationSpec spec =
      Spec(model, dataset,
           {"smoothing/gaussian:sigma=0.25,n0=20,n=400,mode=anytime,radii=0.05+0.1+0.2"}, 8);
  const v1::Evaluation undisturbed = Run(spec);
  ASSERT_EQ(undisturbed.state(), v1::Evaluation::SUCCEEDED) << undisturbed.failure().message();
  const auto expected = Outcomes(undisturbed.name());
  ASSERT_EQ(expected.size(), 40u);
  // Samples stopped at moments of their own.
  const auto setting = ParseSmoothingSetting(undisturbed.conditions(0));
  ASSERT_TRUE(setting.ok());
  std::set<int64_t> draws;
  for (const auto& [key, bytes] : expected) {
    v1::Outcome outcome;
    ASSERT_TRUE(outcome.ParseFromString(bytes));
    draws.insert(EstimationDraws(outcome.smoothing(), *setting));
  }
  EXPECT_GT(draws.size(), 5u);

  const auto created = client_->CreateEvaluation(spec, "");
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_TRUE(Eventually([&] { return TasksDone(created->name()) >= 1; }));
  const auto engines = server_->Engines();
  ASSERT_FALSE(engines.empty());
  for (const pid_t engine : engines) kill(engine, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return TasksDone(created->name()) >= 3; }));
  server_->Kill();
  StartServer();
  // The rest was done after the kills.
  EXPECT_LT(TasksDone(created->name()), 5);
  const v1::Evaluation end = Await(created->name());
  ASSERT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
  EXPECT_EQ(Outcomes(created->name()), expected);
  EXPECT_EQ(ReportText(created->name()), ReportText(undisturbed.name()));
}

// linear.pt and constant.pt, whose mean logits have the same largest one as linear logits plus
// (0.1, 0.2, 0.9, 0.3): shares of classes under noise follow from a few lines.
TEST_F(SmoothingServiceTest, TheCommandLineSmoothsAnEnsemble) {
  StartServer();
  constexpr int kSamples = 10, kPixels = 3 * 8 * 8, kClasses = 4;
  GeneratedData data(kSamples, 3, 8, kClasses);
  const std::string zoo = ASSAY_BINARY_DIR "/tests/zoo/";
  const std::string command = absl::StrCat(
      ASSAY_BINARY_DIR "/bin/assay evaluate --quiet --server ", server_->address(), " -m ", zoo,
      "linear.pt --other-model second=", zoo, "constant.pt -d ", Upload(data),
      " --id pair -c smoothing/gaussian:sigma=0.25,n0=20,n=1500,ensemble=second"
      " -c smoothing/gaussian:sigma=0.25,n0=20,n=1500 >/dev/null");
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  EXPECT_TRUE(client_->GetModel("models/second").ok());

  std::ifstream file(zoo + "linear_weights.txt");
  std::string skipped;
  std::getline(file, skipped);
  std::vector<double> bias(kClasses), weights(kClasses * kPixels);
  for (int k = 0; k < kClasses; ++k) {
    file >> bias[static_cast<size_t>(k)];
    for (int j = 0; j < kPixels; ++j) file >> weights[static_cast<size_t>(k * kPixels + j)];
  }
  ASSERT_TRUE(file);
  const std::vector<double> constant = {0.1, 0.2, 0.9, 0.3};
  std::vector<int32_t> labels;
  std::string bytes;
  ASSERT_TRUE(data.Read(0, kSamples, &labels, &bytes).ok());

  std::mt19937 random(9);
  std::normal_distribution<double> normal(0, 0.25);
  constexpr int kDraws = 3000;
  const auto outcomes = Outcomes("evaluations/pair");
  ASSERT_EQ(outcomes.size(), 2u * kSamples);
  int far_from_single = 0;
  for (const auto& [key, text] : outcomes) {
    v1::Outcome outcome;
    ASSERT_TRUE(outcome.ParseFromString(text));
    std::vector<double> share(kClasses), single(kClasses);
    for (int draw = 0; draw < kDraws; ++draw) {
      std::vector<double> logits = bias;
      for (int j = 0; j < kPixels; ++j) {
        const auto at = static_cast<size_t>(outcome.sample() * kPixels + j);
        const double pixel = static_cast<unsigned char>(bytes[at]) / 255.0 + normal(random);
        for (int k = 0; k < kClasses; ++k) {
          logits[static_cast<size_t>(k)] += weights[static_cast<size_t>(k * kPixels + j)] * pixel;
        }
      }
      single[static_cast<size_t>(std::max_element(logits.begin(), logits.end()) -
                                 logits.begin())] += 1.0 / kDraws;
      for (size_t k = 0; k < kClasses; ++k) logits[k] += constant[k];
      share[static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin())] +=
          1.0 / kDraws;
    }
    const bool ensemble = key.first.find("second") != std::string::npos;
    for (const v1::ClassCount& count : outcome.smoothing().estimation()) {
      const auto k = static_cast<size_t>(count.index());
      // Five standard deviations of both.
      EXPECT_NEAR(static_cast<double>(count.count()) / 1500, ensemble ? share[k] : single[k], 0.08)
          << key.first;
    }
    if (ensemble && std::abs(share[2] - single[2]) > 0.2) ++far_from_single;
  }
  EXPECT_GT(far_from_single, 2);
}

TEST_F(SmoothingServiceTest, DrawsThatCanOnlyAbstainWhenSamplesShareAlphaAreRefused) {
  StartServer();
  GeneratedData data(12, 3, 8, 4);
  const std::string model = Upload("linear"), dataset = Upload(data);
  // 2^-n against 0.01 / 12: 11 draws; against 0.01: 7.
  const std::string few = "smoothing/gaussian:n0=5,alpha=0.01,scope=dataset,n=10";
  const absl::Status refused = client_->CreateEvaluation(Spec(model, dataset, {few}), "").status();
  EXPECT_EQ(ReasonOf(refused), Reason::kInvalidCondition) << refused;
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("12 samples share alpha=0.01; the smallest n that can certify is 11"));
  v1::EvaluationSpec limited = Spec(model, dataset, {few});
  limited.set_limit(6);
  EXPECT_EQ(Run(limited).state(), v1::Evaluation::SUCCEEDED);

  // A stream's samples are counted as they come.
  v1::EvaluateRequest::Start start;
  start.set_model(model);
  start.add_conditions(few);
  const absl::Status streamed = client_->Evaluate(start, data, 0, {}).status();
  EXPECT_EQ(ReasonOf(streamed), Reason::kInvalidCondition) << streamed;
  EXPECT_THAT(std::string(streamed.message()), HasSubstr("12 samples share alpha"));
}

}  // namespace
}  // namespace assay::testing
