// Randomized smoothing end to end: its modes and noises through a server, certificates at other
// settings from stored counts, and the anytime mode against the counts of the original certify code
// on a real model.
#include <cmath>
#include <fstream>

#include "client/data/open_dataset.h"
#include "core/conditions/condition.h"
#include "core/conditions/smoothing_setting.h"
#include "core/statistics/smoothing_certificate.h"
#include "nlohmann/json.hpp"
#include "tests/integration/zoo_fixture.h"
#include "tests/test_data.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;

using SmoothingTest = ZooFixture;

const std::vector<std::string> kConditions = {
    "smoothing/gaussian:sigma=0.25,n0=20,n=300",
    "smoothing/gaussian:sigma=0.25,n0=20,n=600,mode=anytime,radii=0.1+0.2",
    "smoothing/gaussian:sigma=0.25,n=60,mode=predict",
    "smoothing/gaussian:sigma=0.25,n0=20,n=300,sound=yes,norm=linf",
    "smoothing/uniform:n0=20,n=300",
    "smoothing/laplace:n0=20,n=300,scope=dataset,alpha=0.01"};

TEST_F(SmoothingTest, OutcomesDoNotDependOnTasksAndReportsSayTheSetting) {
  StartServer();
  GeneratedData data(12, 3, 8, 3);
  const std::string model = Upload("linear"), dataset = Upload(data);
  const v1::Evaluation whole = Run(Spec(model, dataset, kConditions));
  const v1::Evaluation parts = Run(Spec(model, dataset, kConditions, /*task_samples=*/5));
  ASSERT_EQ(whole.state(), v1::Evaluation::SUCCEEDED) << whole.failure().message();
  ASSERT_EQ(parts.state(), v1::Evaluation::SUCCEEDED) << parts.failure().message();
  EXPECT_EQ(Outcomes(whole.name()), Outcomes(parts.name()));
  EXPECT_EQ(ReportText(whole.name()), ReportText(parts.name()));
  const auto report = ReportOf(whole.name());
  ASSERT_TRUE(report.ok()) << report.status();
  const auto certification = [&](int i) { return report->conditions(i).certification(); };
  EXPECT_EQ(certification(1).mode(), "anytime");
  EXPECT_LE(certification(1).mean_draws(), 620);
  EXPECT_EQ(certification(2).mode(), "predict");
  EXPECT_TRUE(certification(3).sound());
  EXPECT_NEAR(certification(3).radius_cap(), certification(0).radius_cap() / std::sqrt(192.0),
              1e-9);
  EXPECT_EQ(certification(4).noise(), "uniform");
  EXPECT_EQ(certification(5).alpha_scope(), "dataset");
}

TEST_F(SmoothingTest, CertificatesAtOtherSettingsComeFromStoredCounts) {
  StartServer();
  GeneratedData data(12, 3, 8, 3);
  const v1::Evaluation run = Run(Spec(Upload("linear"), Upload(data), {kConditions[0]}));
  ASSERT_EQ(run.state(), v1::Evaluation::SUCCEEDED) << run.failure().message();
  v1::GetReportRequest request;
  request.set_name(run.name());
  request.set_alpha(0.05);
  request.set_n(100);
  const auto again = client_->GetReport(request);
  ASSERT_TRUE(again.ok()) << again.status();
  const v1::CertificationReport& certification = again->conditions(0).certification();
  EXPECT_EQ(certification.alpha(), 0.05);
  EXPECT_EQ(certification.n(), 100);
  // Of 100 draws that agree, at alpha = .05.
  EXPECT_NEAR(certification.radius_cap(), RadiusOf({0.25}, std::pow(0.05, 0.01)), 1e-9);
  for (const auto& [alpha, n, text] :
       {std::tuple{0.05, 301, "300 draws"}, std::tuple{1.5, 0, "not between 0 and 1"},
        std::tuple{1e-6, 10, "the smallest n that can certify is 20"}}) {
    request.set_alpha(alpha);
    request.set_n(n);
    const auto refused = client_->GetReport(request);
    EXPECT_EQ(ReasonOf(refused.status()), Reason::kInvalidArgument);
    ASSERT_EQ(ViolationsOf(refused.status()).size(), 1u);
    EXPECT_THAT(ViolationsOf(refused.status())[0].description, HasSubstr(text));
  }
}

// Each decision of the anytime mode against 10,000 draws of the original code, at their own level.
TEST_F(SmoothingTest, AnytimeDecisionsAgreeWithTheCountsOfTheOriginalCode) {
  ASSAY_TEST_DATA_OR_SKIP(golden_path, "golden/smoothing.json");
  ASSAY_TEST_DATA_OR_SKIP(wong, "models/cifar10_wong_small_l2_36px.pt");
  ASSAY_TEST_DATA_OR_SKIP(images, "cifar10_test_1000.bin");
  extra_flags_ = {"--threads", "2", "--batch-size", "64"};
  StartServer();
  // The reference took every tenth image.
  constexpr size_t kRows = 8;
  nlohmann::json block;
  std::ifstream file(golden_path);
  for (const auto& candidate : nlohmann::json::parse(file)) {
    if (candidate["model"] == "cifar10_wong_small_l2_36px" && candidate["n"] == 10000) {
      block = candidate;
    }
  }
  ASSERT_FALSE(block.is_null());
  client::OpenOptions options;
  options.paths = {images};
  const auto reader = client::OpenDataset(options);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto model = client_->UploadModel(wong, "", nullptr);
  ASSERT_TRUE(model.ok()) << model.status();
  const std::string expression = "smoothing/gaussian:sigma=0.25,mode=anytime,radii=0.25+0.5,n=4000";
  v1::EvaluationSpec spec = Spec(model->resource.name(), Upload(**reader), {expression});
  spec.set_limit(block["rows"][kRows - 1]["index"].get<int64_t>() + 1);
  const v1::Evaluation run = Run(spec);
  ASSERT_EQ(run.state(), v1::Evaluation::SUCCEEDED) << run.failure().message();
  const auto outcomes = Outcomes(run.name());
  const auto setting = ParseSmoothingSetting(run.conditions(0));
  ASSERT_TRUE(setting.ok());
  int certified = 0, compared = 0;
  int64_t draws = 0;
  for (size_t i = 0; i < kRows; ++i) {
    const nlohmann::json& row = block["rows"][i];
    v1::Outcome outcome;
    ASSERT_TRUE(outcome.ParseFromString(
        outcomes.at({run.conditions(0).id(), row["index"].get<int64_t>()})));
    const Certificate certificate = Certify(outcome.smoothing(), *setting);
    draws += EstimationDraws(outcome.smoothing(), *setting);
    ASSERT_GE(certificate.top_class, 0);
    const auto k = row["counts_n"][static_cast<size_t>(certificate.top_class)].get<int64_t>();
    const double lower = ClopperPearsonLower(k, 10000, 0.001);
    const double upper = 1 - ClopperPearsonLower(10000 - k, 10000, 0.001);
    for (const double radius : setting->radii) {
      const double needed = ProbabilityFor(*setting, radius);
      const bool holds = certificate.prediction >= 0 && certificate.radius >= radius;
      certified += holds ? 1 : 0;
      ++compared;
      EXPECT_FALSE(holds && upper < needed) << row["index"] << " radius " << radius;
      // 4,000 draws certify what is clearly above.
      EXPECT_FALSE(!holds && lower > needed + 0.03) << row["index"] << " radius " << radius;
    }
  }
  EXPECT_GT(certified, 4);
  EXPECT_LT(certified, compared);
  EXPECT_LT(draws, int64_t{kRows} * 2500);
}

}  // namespace
}  // namespace assay::testing
