// Real models and real images against reference results that other people's software computed
// (ASSAY_TEST_DATA, golden/; how they were made is written in its README).
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/data/open_dataset.h"
#include "core/statistics/smoothing_certificate.h"
#include "nlohmann/json.hpp"
#include "tests/integration/zoo_fixture.h"
#include "tests/test_data.h"

namespace assay::testing {
namespace {

using nlohmann::json;

json ReadJson(const std::string& path) {
  std::ifstream file(path);
  return json::parse(file);
}

// Chosen samples of another data set.
class PickedData : public client::DatasetReader {
 public:
  PickedData(client::DatasetReader& whole, std::vector<int64_t> picked)
      : whole_(whole), picked_(std::move(picked)) {}
  const v1::ImageShape& shape() const override { return whole_.shape(); }
  v1::PixelType pixel_type() const override { return whole_.pixel_type(); }
  const std::vector<std::string>& class_names() const override { return whole_.class_names(); }
  int64_t size() const override { return static_cast<int64_t>(picked_.size()); }
  absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                    std::string* pixels) override {
    for (int64_t i = first; i < first + count; ++i) {
      ASSAY_RETURN_IF_ERROR(whole_.Read(picked_[static_cast<size_t>(i)], 1, labels, pixels));
    }
    return absl::OkStatus();
  }

 private:
  client::DatasetReader& whole_;
  const std::vector<int64_t> picked_;
};

class RealModelTest : public ZooFixture {
 protected:
  RealModelTest() { extra_flags_ = {"--threads", "2", "--batch-size", "64"}; }

  static std::unique_ptr<client::DatasetReader> Cifar() {
    client::OpenOptions options;
    options.paths = {TestData("cifar10_test_1000.bin")};
    auto reader = client::OpenDataset(options);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return *std::move(reader);
  }

  v1::Report Evaluate(const std::string& model_path, const std::vector<std::string>& conditions,
                      int64_t limit = 0) {
    return Evaluate(model_path, *Cifar(), conditions, limit);
  }

  v1::Report Evaluate(const std::string& model_path, client::DatasetReader& data,
                      const std::vector<std::string>& conditions, int64_t limit = 0) {
    client::DatasetUpload upload;
    upload.stem = "cifar";
    upload.limit = limit;
    const auto dataset = client_->UploadDataset(data, upload, nullptr);
    const auto model = client_->UploadModel(model_path, "", nullptr);
    EXPECT_TRUE(dataset.ok() && model.ok()) << dataset.status() << model.status();
    v1::EvaluationSpec spec = Spec(model->resource.name(), dataset->resource.name(), conditions);
    spec.set_task_samples(task_samples_);
    last_ = Run(spec);
    EXPECT_EQ(last_.state(), v1::Evaluation::SUCCEEDED) << last_.failure().message();
    const auto report = ReportOf(last_.name());
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : v1::Report();
  }

  v1::Evaluation last_;
  int32_t task_samples_ = 0;  // 0: as the server chooses
};

// Exactly the confusion matrix, CWA, CFPS and false positives of the reference (scikit-learn).
TEST_F(RealModelTest, CleanResultsEqualTheReferenceExactly) {
  ASSAY_TEST_DATA_OR_SKIP(golden_path, "golden/classwise.json");
  ASSAY_TEST_DATA_OR_SKIP(sri, "models/cifar10_sri_resnet_b_adv.pt");
  ASSAY_TEST_DATA_OR_SKIP(cnn, "models/cifar10_cnn_a_adv.pt");
  StartServer();
  const json golden = ReadJson(golden_path);
  for (const auto& [path, name] :
       {std::pair{sri, "cifar10_sri_resnet_b_adv"}, std::pair{cnn, "cifar10_cnn_a_adv"}}) {
    const v1::Report report = Evaluate(path, {"clean"});
    ASSERT_EQ(report.conditions_size(), 1);
    const v1::ConditionReport& clean = report.conditions(0);
    const json& reference = golden[name]["clean"];
    EXPECT_EQ(clean.correct(), reference["correct"].get<int64_t>());
    for (int i = 0; i < 10; ++i) {
      const size_t c = static_cast<size_t>(i);
      EXPECT_EQ(json(std::vector<int64_t>(clean.confusion_matrix(i).counts().begin(),
                                          clean.confusion_matrix(i).counts().end())),
                reference["confusion_matrix"][c]);
      EXPECT_NEAR(clean.classes(i).accuracy().value(), reference["cwa"][c].get<double>(), 1e-12);
      EXPECT_NEAR(clean.classes(i).cfps().value(), reference["cfps"][c].get<double>(), 1e-12);
    }
  }
  EXPECT_EQ(golden["cifar10_sri_resnet_b_adv"]["clean"]["correct"], 800);
}

// PGD with one random start: the same settings with other random starts agree to a few samples in a
// thousand.
TEST_F(RealModelTest, PgdAgreesWithTheReferenceWithinItsSamplingError) {
  ASSAY_TEST_DATA_OR_SKIP(golden_path, "golden/classwise.json");
  ASSAY_TEST_DATA_OR_SKIP(cnn, "models/cifar10_cnn_a_adv.pt");
  StartServer();
  const json reference = ReadJson(golden_path)["cifar10_cnn_a_adv"]["pgd"];
  const v1::Report report = Evaluate(cnn, {"attack/pgd:eps=2/255,steps=50,step=2/1275"});
  const v1::ConditionReport& pgd = report.conditions(0);
  EXPECT_NEAR(static_cast<double>(pgd.correct()), reference["correct"].get<double>(), 5);
  // Class by class too: another draw of the random start moves a few samples at most.
  int64_t moved = 0;
  for (int i = 0; i < 10; ++i) {
    for (int j = 0; j < 10; ++j) {
      moved +=
          std::abs(pgd.confusion_matrix(i).counts(j) -
                   reference["confusion_matrix"][static_cast<size_t>(i)][static_cast<size_t>(j)]
                       .get<int64_t>());
    }
  }
  EXPECT_LE(moved, 60);
  EXPECT_LE(pgd.attack().max_distance(), 2.0 / 255 * (1 + 1e-6));
}

// The original AutoAttack, image by image (standard version, its own random stream): one block of
// the reference, and how many of its images are compared. ASSAY_GOLDEN_ALL=1 compares all, in the
// better part of an hour.
struct AutoAttackBlock {
  const char* model;
  const char* norm;
  const char* condition;
  int64_t images;
  friend std::ostream& operator<<(std::ostream& out, const AutoAttackBlock& block) {
    return out << block.model << " " << block.norm;
  }
};

class AutoAttackGoldenTest : public RealModelTest,
                             public ::testing::WithParamInterface<AutoAttackBlock> {
 protected:
  static bool All() { return std::getenv("ASSAY_GOLDEN_ALL") != nullptr; }

  // How far beyond or inside its budget the decision is: the smallest perturbation that FMN finds,
  // relative to eps.
  std::map<int64_t, double> Margins(const std::string& model, const std::string& norm, double eps,
                                    const std::vector<int64_t>& images) {
    std::map<int64_t, double> margins;
    if (images.empty()) return margins;
    const auto cifar = Cifar();
    PickedData data(*cifar, images);
    Evaluate(model, data, {"attack/fmn:norm=" + norm + ",steps=500"});
    for (const auto& [key, bytes] : Outcomes(last_.name())) {
      v1::Outcome outcome;
      EXPECT_TRUE(outcome.ParseFromString(bytes));
      margins[images[static_cast<size_t>(key.second)]] = outcome.attack().distance() / eps;
    }
    return margins;
  }

  // How many of `starts` copies of an image, each with its own random start, `condition` breaks.
  int64_t BrokenStarts(const std::string& model, const std::string& condition, int64_t image,
                       size_t starts) {
    const auto cifar = Cifar();
    PickedData data(*cifar, std::vector<int64_t>(starts, image));
    Evaluate(model, data, {condition});
    int64_t broken = 0;
    for (const auto& [key, bytes] : Outcomes(last_.name())) {
      v1::Outcome outcome;
      EXPECT_TRUE(outcome.ParseFromString(bytes));
      broken += outcome.attack().success() ? 1 : 0;
    }
    return broken;
  }
};

TEST_P(AutoAttackGoldenTest, AgreesWithTheOriginalImageByImage) {
  const AutoAttackBlock& chosen = GetParam();
  ASSAY_TEST_DATA_OR_SKIP(golden_path, "golden/autoattack.json");
  ASSAY_TEST_DATA_OR_SKIP(model, absl::StrCat("models/", chosen.model, ".pt"));
  const json golden = ReadJson(golden_path);
  const auto block = std::find_if(golden.begin(), golden.end(), [&](const json& candidate) {
    return candidate["model"] == chosen.model && candidate["norm"] == chosen.norm;
  });
  ASSERT_NE(block, golden.end());
  const int64_t images = All() ? (*block)["n"].get<int64_t>() : chosen.images;
  // A batch that the survivors of few images can fill.
  extra_flags_ = {"--threads", "2", "--batch-size", All() ? "64" : "16"};
  StartServer();
  Evaluate(model, {chosen.condition}, images);

  // How many images each part of the original and of ours broke; what ours leaves robust.
  const std::vector<std::string> parts = {"clean", "apgd-ce", "apgd-t", "fab-t", "square"};
  std::map<std::string, int64_t> original, ours;
  std::vector<int64_t> disagreements;
  std::map<int64_t, std::string> descriptions, only_original;
  for (const auto& [key, bytes] : Outcomes(last_.name())) {
    v1::Outcome outcome;
    ASSERT_TRUE(outcome.ParseFromString(bytes));
    const json& reference = (*block)["broken_by"][static_cast<size_t>(key.second)];
    const std::string by = reference.is_null() ? "none" : reference.get<std::string>();
    const v1::AttackOutcome& attack = outcome.attack();
    const std::string by_ours = !attack.attacked() ? "clean"
                                : attack.success() ? attack.stage()
                                                   : "none";
    ++original[by];
    ++ours[by_ours];
    if ((by == "none") == (by_ours == "none")) continue;
    disagreements.push_back(key.second);
    descriptions[key.second] = "broken by " + by + " in the original, by " + by_ours + " here";
    if (by_ours == "none") only_original[key.second] = by;
  }
  const auto margins = Margins(model, absl::AsciiStrToLower(chosen.norm),
                               (*block)["eps"].get<double>(), disagreements);
  for (const int64_t image : disagreements) {
    std::cout << chosen << " image " << image << ": " << descriptions[image]
              << "; nearest adversarial example at " << margins.at(image) << " eps\n";
  }
  // What the original alone breaks must be a matter of the random start: of all blocks that is
  // image 183 of L1, which apgd-t breaks from 67 of 600 starts.
  for (const auto& [image, part] : only_original) {
    const std::string same_budget = absl::StrReplaceAll(chosen.condition, {{"autoattack", part}});
    constexpr int64_t kStarts = 200;
    const int64_t broken = BrokenStarts(model, same_budget, image, kStarts);
    std::cout << chosen << " image " << image << ": " << same_budget << " breaks it from " << broken
              << " of " << kStarts << " random starts\n";
    EXPECT_GT(broken, 0) << image;
  }
  // Within one image in a hundred, after each part and image by image.
  const int64_t allowed = (images + 99) / 100;
  int64_t robust_original = images, robust_ours = images;
  for (const std::string& part : parts) {
    robust_original -= original[part];
    robust_ours -= ours[part];
    std::cout << chosen << " robust after " << part << ": original " << robust_original << ", ours "
              << robust_ours << " of " << images << "\n";
    EXPECT_LE(std::abs(robust_ours - robust_original), allowed) << part;
  }
  EXPECT_LE(static_cast<int64_t>(disagreements.size()), allowed);
}

INSTANTIATE_TEST_SUITE_P(
    Blocks, AutoAttackGoldenTest,
    ::testing::Values(
        AutoAttackBlock{"cifar10_cnn_a_adv", "Linf", "attack/autoattack:norm=linf,eps=2/255", 40},
        AutoAttackBlock{"cifar10_cnn_a_adv", "L2", "attack/autoattack:norm=l2,eps=0.25", 24},
        AutoAttackBlock{"cifar10_cnn_a_adv", "L1", "attack/autoattack:norm=l1,eps=4", 24},
        AutoAttackBlock{"cifar10_wong_small_l2_36px", "L2", "attack/autoattack:norm=l2,eps=36/255",
                        20},
        AutoAttackBlock{"cifar10_sri_resnet_b_adv", "Linf", "attack/autoattack:norm=linf,eps=2/255",
                        3},
        AutoAttackBlock{"cifar10_vit_pgd_2_3_16", "Linf", "attack/autoattack:norm=linf,eps=2/255",
                        6}),
    [](const ::testing::TestParamInfo<AutoAttackBlock>& row) {
      return std::string(row.param.model) + "_" + row.param.norm;
    });

// Counts of the original certify code and ours are two samples of one binomial distribution.
TEST_F(RealModelTest, SmoothingCountsAgreeWithTheReferenceWithinTheirSamplingError) {
  ASSAY_TEST_DATA_OR_SKIP(golden_path, "golden/smoothing.json");
  ASSAY_TEST_DATA_OR_SKIP(wong, "models/cifar10_wong_small_l2_36px.pt");
  StartServer();
  json block;
  for (const json& candidate : ReadJson(golden_path)) {
    if (candidate["model"] == "cifar10_wong_small_l2_36px" && candidate["n"] == 10000) {
      block = candidate;
    }
  }
  ASSERT_FALSE(block.is_null());
  const int n = 2000;
  const double reference_n = block["n"].get<double>();
  std::vector<int64_t> picked;
  for (const json& row : block["rows"]) {
    if (picked.size() < 20) picked.push_back(row["index"].get<int64_t>());
  }
  ASSERT_EQ(picked.size(), 20u);
  const auto cifar = Cifar();
  PickedData data(*cifar, picked);
  const v1::Report report = Evaluate(wong, data, {"smoothing/gaussian:sigma=0.25,n0=100,n=2000"});
  int same_prediction = 0;
  for (const auto& [key, bytes] : Outcomes(last_.name())) {
    v1::Outcome outcome;
    ASSERT_TRUE(outcome.ParseFromString(bytes));
    const json& row = block["rows"][static_cast<size_t>(key.second)];
    ASSERT_EQ(outcome.label(), row["label"].get<int>());
    std::vector<double> counts(10);
    for (const auto& entry : outcome.smoothing().estimation()) {
      counts[static_cast<size_t>(entry.index())] = static_cast<double>(entry.count());
    }
    for (size_t k = 0; k < 10; ++k) {
      const double p = row["counts_n"][k].get<double>() / reference_n;
      const double deviation =
          std::sqrt(std::max(p * (1 - p), 1e-3) * (1.0 / n + 1.0 / reference_n));
      EXPECT_NEAR(counts[k] / n, p, 5 * deviation) << "sample " << row["index"] << " class " << k;
    }
    const Certificate certificate = Certify(outcome.smoothing(), {0.25, n, 0.001});
    same_prediction += certificate.prediction == row["prediction"].get<int>() ? 1 : 0;
  }
  // A fifth of the reference's draws abstains a little more often, and never names another class.
  EXPECT_GE(same_prediction, 17);
  EXPECT_TRUE(report.conditions(0).has_certification());
}

// Lanes, batches, tasks, the rest of the data and a compiler's worth of neighbours change nothing:
// the same bits, under the same fingerprint.
TEST_F(RealModelTest, OutcomesDoNotDependOnCoresBatchesTasksOrNeighbours) {
  ASSAY_TEST_DATA_OR_SKIP(cnn, "models/cifar10_cnn_a_adv.pt");
  const std::vector<std::string> conditions = {"clean",
                                               "corruption/gaussian_noise:severity=3",
                                               "attack/pgd:eps=2/255,steps=10",
                                               "attack/apgd-t:eps=2/255,steps=10,targets=3",
                                               "attack/fab-t:eps=2/255,steps=10,targets=3",
                                               "attack/square:eps=2/255,queries=100",
                                               "attack/fmn:norm=l2,steps=20,restarts=0",
                                               "attack/hopskipjump:norm=l2,eps=0.5,queries=200",
                                               "smoothing/gaussian:mode=anytime,n0=10,n=200"};
  struct Setting {
    const char* cores;
    const char* batch;
    int64_t limit;
    int32_t task_samples;
    bool beside_others;
  };
  std::map<std::pair<std::string, int64_t>, std::string> expected;
  std::string digest;
  for (const Setting& setting :
       {Setting{"1", "0", 60, 0, false}, Setting{"2", "0", 60, 0, true},
        Setting{"4", "0", 45, 7, false}, Setting{"2", "8", 60, 31, false}}) {
    server_.reset();
    extra_flags_ = {"--threads", setting.cores, "--batch-size", setting.batch};
    StartServer();
    task_samples_ = setting.task_samples;
    std::atomic<bool> ended = false;
    std::vector<std::thread> neighbours;
    for (int i = 0; i < (setting.beside_others ? 3 : 0); ++i) {
      neighbours.emplace_back([&] {
        while (!ended) {
        }
      });
    }
    const v1::Report report = Evaluate(cnn, conditions, setting.limit);
    ended = true;
    for (std::thread& neighbour : neighbours) neighbour.join();
    ASSERT_EQ(report.numerics_size(), 1);
    EXPECT_EQ(report.numerics(0).batch_size(), 0);
    if (digest.empty()) digest = report.numerics(0).digest();
    EXPECT_EQ(report.numerics(0).digest(), digest);
    const auto outcomes = Outcomes(last_.name());
    EXPECT_EQ(outcomes.size(), conditions.size() * static_cast<size_t>(setting.limit));
    for (const auto& [key, bytes] : outcomes) {
      EXPECT_EQ(expected.emplace(key, bytes).first->second, bytes)
          << key.first << ", sample " << key.second << " with " << setting.cores << " cores";
    }
  }
}

}  // namespace
}  // namespace assay::testing
