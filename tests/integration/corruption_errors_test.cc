// Real models on corrupted real images, end to end, against the errors that the same models have on
// images from the original scripts (ASSAY_TEST_DATA, golden/corruptions_cifar_stats.json).
#include <cmath>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/integration/zoo_fixture.h"
#include "tests/test_data.h"

namespace assay::testing {
namespace {

using nlohmann::json;

constexpr int kSamples = 1000;
const std::set<std::string> kDeterministic = {"defocus_blur",  "zoom_blur", "brightness",
                                              "contrast",      "pixelate",  "jpeg_compression",
                                              "gaussian_blur", "saturate"};

class CorruptionErrorsTest : public ZooFixture {
 protected:
  CorruptionErrorsTest() { extra_flags_ = {"--threads", "2", "--batch-size", "100"}; }

  v1::Report Evaluate(const std::string& model_path, const std::vector<std::string>& conditions,
                      int64_t limit = 0) {
    client::OpenOptions options;
    options.paths = {TestData("cifar10_test_1000.bin")};
    const auto reader = client::OpenDataset(options);
    EXPECT_TRUE(reader.ok()) << reader.status();
    client::DatasetUpload upload;
    upload.stem = "cifar";
    upload.limit = limit;
    const auto dataset = client_->UploadDataset(**reader, upload, nullptr);
    const auto model = client_->UploadModel(model_path, "", nullptr);
    EXPECT_TRUE(dataset.ok() && model.ok()) << dataset.status() << model.status();
    const v1::Evaluation end =
        Run(Spec(model->resource.name(), dataset->resource.name(), conditions));
    EXPECT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
    const auto report = client_->GetReport(end.name(), 0);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : v1::Report();
  }

  // Compares every condition with its reference, and returns the mean of the reference's errors.
  static double Compare(const v1::Report& report, const json& stats, const std::string& model) {
    double sum = 0, difference = 0;
    int count = 0, random = 0;
    for (const v1::ConditionReport& entry : report.conditions()) {
      if (entry.family() != "corruption") continue;
      SCOPED_TRACE(absl::StrCat(model, " ", entry.id()));
      const json& reference =
          stats.at(absl::StrCat(entry.method(), "/", entry.parameters().at("severity")))
              .at("models")
              .at(model);
      const double accuracy = reference.at("accuracy").get<double>();
      sum += 1 - accuracy;
      ++count;
      if (kDeterministic.count(entry.method()) > 0) {
        // The same images; a logit's last bit may decide one of a thousand.
        EXPECT_NEAR(static_cast<double>(entry.correct()), kSamples * accuracy, 1.01);
      } else {
        // Other random numbers on the same images: within the interval of the reference. There are
        // 56 such comparisons, so at 95 % for all of them together (Bonferroni: 3.3 standard
        // errors). At 95 % for each, two of the 56 are outside: elastic_transform/3, where other
        // seeds give 754 to 774 for the reference's 780, and spatter/5 of the ResNet-20, 697 to 716
        // for 725.
        EXPECT_NEAR(entry.accuracy().value(), accuracy,
                    3.3 * std::sqrt(accuracy * (1 - accuracy) / kSamples));
        difference += entry.accuracy().value() - accuracy;
        ++random;
      }
    }
    // What the wider intervals would let pass, a shift of all conditions in one direction, shows
    // here: accuracies of two draws differ by 0.01 or so, the mean over `random` of them by less.
    EXPECT_LT(std::abs(difference / random), 4 * 0.01 / std::sqrt(random));
    return sum / count;
  }

  static json Stats() {
    std::ifstream file(TestData("golden/corruptions_cifar_stats.json"));
    return json::parse(file).at("stats");
  }
};

TEST_F(CorruptionErrorsTest, TheBenchmarkHasTheErrorsOfTheOriginalScripts) {
  ASSAY_TEST_DATA_OR_SKIP(stats_path, "golden/corruptions_cifar_stats.json");
  ASSAY_TEST_DATA_OR_SKIP(model, "models/cifar10_sri_resnet_b_adv.pt");
  ASSAY_TEST_DATA_OR_SKIP(frost, "frost");
  StartServer({"--frost-directory", frost});
  const v1::Report report = Evaluate(model, {"suite/cifar10-c"});
  ASSERT_EQ(report.conditions_size(), 76);
  const double reference = Compare(report, Stats(), "cifar10_sri_resnet_b_adv");
  const v1::CorruptionSummary& summary = report.corruption_summary();
  ASSERT_TRUE(summary.has_mean_error());
  EXPECT_NEAR(summary.mean_error(), reference, 0.003);
  EXPECT_FALSE(summary.has_mce());
}

TEST_F(CorruptionErrorsTest, AStandardModelHasThemTooAtTheStrongestSeverity) {
  ASSAY_TEST_DATA_OR_SKIP(stats_path, "golden/corruptions_cifar_stats.json");
  ASSAY_TEST_DATA_OR_SKIP(model, "models/cifar10_resnet20.pt");
  ASSAY_TEST_DATA_OR_SKIP(frost, "frost");
  StartServer({"--frost-directory", frost});
  std::vector<std::string> conditions;
  for (const char* name :
       {"gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur",
        "motion_blur", "zoom_blur", "snow", "frost", "fog", "brightness", "contrast",
        "elastic_transform", "pixelate", "jpeg_compression", "speckle_noise", "gaussian_blur",
        "spatter", "saturate"}) {
    conditions.push_back(absl::StrCat("corruption/", name, ":severity=5"));
  }
  const v1::Report report = Evaluate(model, conditions);
  ASSERT_EQ(report.conditions_size(), 19);
  Compare(report, Stats(), "cifar10_resnet20");
}

TEST_F(CorruptionErrorsTest, WithoutPhotographsFrostIsRefusedBeforeAnythingRuns) {
  GeneratedData data(10, 3, 32, 10);
  StartServer();
  const auto refused =
      client_->CreateEvaluation(Spec(Upload("linear"), Upload(data), {"corruption/frost"}), "");
  EXPECT_THAT(std::string(refused.status().message()), ::testing::HasSubstr("--frost-directory"));
}

TEST_F(CorruptionErrorsTest, SequencesAndGridsAreReported) {
  ASSAY_TEST_DATA_OR_SKIP(model, "models/cifar10_cnn_a_adv.pt");
  StartServer();
  const v1::Report report =
      Evaluate(model, {"sequence/rotate:frames=7", "corruption/occlusion:grid=2", "clean"}, 100);
  ASSERT_EQ(report.conditions_size(), 6);
  const v1::ConditionReport& sequence = report.conditions(0);
  EXPECT_EQ(sequence.sequence().flip_rate().denominator(), 600);
  EXPECT_GT(sequence.sequence().flip_rate().numerator(), 0);
  EXPECT_EQ(sequence.correct(), report.conditions(5).correct());
  EXPECT_EQ(report.conditions(4).id(), "corruption/occlusion/grid=2,cell=3");
  EXPECT_LT(report.conditions(4).correct(), report.conditions(5).correct());
}

TEST_F(CorruptionErrorsTest, OwnReferenceErrorsNormaliseTheReport) {
  ASSAY_TEST_DATA_OR_SKIP(model, "models/cifar10_cnn_a_adv.pt");
  StartServer();
  const v1::Report plain = Evaluate(model, {"corruption/brightness"}, 100);
  EXPECT_FALSE(plain.corruption_summary().corruptions(0).has_ce());
  v1::GetReportRequest request;
  request.set_name(plain.evaluation());
  request.mutable_reference_errors()->set_name("mine");
  auto& own = *request.mutable_reference_errors()->add_corruptions();
  own.set_corruption("brightness");
  own.add_errors(0.5);
  const auto report = client_->GetReport(request);
  ASSERT_TRUE(report.ok()) << report.status();
  const v1::CorruptionError& error = report->corruption_summary().corruptions(0);
  EXPECT_NEAR(error.ce(), error.mean_error() / 0.5, 1e-12);
  EXPECT_EQ(report->corruption_summary().normaliser(), "mine");
  own.add_errors(0.5);
  EXPECT_FALSE(client_->GetReport(request).ok());
}

}  // namespace
}  // namespace assay::testing
