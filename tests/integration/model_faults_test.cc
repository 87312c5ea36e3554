// Faults that people hand in with real models and images: the report, or the failure, names them.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/data/open_dataset.h"
#include "tests/integration/zoo_fixture.h"
#include "tests/test_data.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;
using v1::Check;

constexpr int64_t kImages = 300;

// The first CIFAR images with other labels; those whose label becomes negative are left out.
class Relabelled : public client::DatasetReader {
 public:
  explicit Relabelled(const std::function<int32_t(int32_t)>& label) {
    client::OpenOptions options;
    options.paths = {TestData("cifar10_test_1000.bin")};
    whole_ = *client::OpenDataset(options);
    for (int64_t i = 0; i < kImages; ++i) {
      std::vector<int32_t> own;
      std::string pixels;
      EXPECT_TRUE(whole_->Read(i, 1, &own, &pixels).ok());
      if (const int32_t other = label(own[0]); other >= 0) samples_.emplace_back(i, other);
    }
  }
  const v1::ImageShape& shape() const override { return whole_->shape(); }
  v1::PixelType pixel_type() const override { return whole_->pixel_type(); }
  const std::vector<std::string>& class_names() const override { return whole_->class_names(); }
  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                    std::string* pixels) override {
    for (int64_t i = first; i < first + count; ++i) {
      const auto& [sample, label] = samples_[static_cast<size_t>(i)];
      ASSAY_RETURN_IF_ERROR(whole_->Read(sample, 1, labels, pixels));
      labels->back() = label;
    }
    return absl::OkStatus();
  }

 private:
  std::unique_ptr<client::DatasetReader> whole_;
  std::vector<std::pair<int64_t, int32_t>> samples_;
};

class ModelFaults : public ZooFixture {
 protected:
  ModelFaults() { extra_flags_ = {"--threads", "1", "--batch-size", "32"}; }

  v1::Evaluation Evaluate(const std::string& model_path,
                          const std::function<int32_t(int32_t)>& label,
                          const std::vector<std::string>& conditions) {
    Relabelled data(label);
    const auto model = client_->UploadModel(model_path, "", nullptr);
    EXPECT_TRUE(model.ok()) << model.status();
    return Run(Spec(model->resource.name(), Upload(data), conditions));
  }

  v1::Report Report(const std::string& model_path, const std::function<int32_t(int32_t)>& label,
                    const std::vector<std::string>& conditions) {
    const v1::Evaluation end = Evaluate(model_path, label, conditions);
    EXPECT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
    const auto report = ReportOf(end.name());
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : v1::Report();
  }

  static Check Find(const v1::ConditionReport& condition, const std::string& name) {
    for (const Check& check : condition.checks()) {
      if (check.name() == name) return check;
    }
    ADD_FAILURE() << condition.id() << " has no check " << name;
    return Check();
  }
};

int32_t AsItIs(int32_t label) { return label; }

TEST_F(ModelFaults, ClassesInAnotherOrderAreNamed) {
  ASSAY_TEST_DATA_OR_SKIP(images, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(model, "models/cifar10_sri_resnet_b_adv.pt");
  StartServer();
  const auto clean = [&](const std::function<int32_t(int32_t)>& label) {
    return Report(model, label, {"clean"}).conditions(0);
  };
  const v1::ConditionReport right = clean(AsItIs);
  EXPECT_EQ(Find(right, "class-order").verdict(), Check::PASSED);
  EXPECT_EQ(Find(right, "better-than-guessing").verdict(), Check::PASSED);

  // Labels that count from 1; the last class would have none.
  const v1::ConditionReport from_one = clean([](int32_t l) { return l == 9 ? -1 : l + 1; });
  EXPECT_EQ(Find(from_one, "class-order").verdict(), Check::FAILED);
  EXPECT_THAT(Find(from_one, "class-order").message(), HasSubstr("every label one lower"));
  EXPECT_EQ(Find(from_one, "better-than-guessing").verdict(), Check::FAILED);

  const v1::ConditionReport reversed = clean([](int32_t l) { return 9 - l; });
  const Check order = Find(reversed, "class-order");
  EXPECT_EQ(order.verdict(), Check::FAILED);
  EXPECT_THAT(order.message(), HasSubstr("with classes renamed"));
  EXPECT_NEAR(order.value(), right.accuracy().value() - reversed.accuracy().value(), 1e-9);
}

TEST_F(ModelFaults, AModelInTrainingModeFailsUnderEveryCondition) {
  ASSAY_TEST_DATA_OR_SKIP(images, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(training, "models2x/odd/resnet_training_trace.pt");
  ASSAY_TEST_DATA_OR_SKIP(sound, "models/cifar10_resnet20.pt");
  StartServer();
  const std::vector<std::string> conditions = {"clean", "attack/pgd:steps=1",
                                               "corruption/brightness:severity=1"};
  for (const auto& [model, verdict] :
       {std::pair{training, Check::FAILED}, std::pair{sound, Check::PASSED}}) {
    const v1::Report report = Report(model, AsItIs, conditions);
    ASSERT_EQ(report.conditions_size(), 3);
    for (const v1::ConditionReport& condition : report.conditions()) {
      EXPECT_EQ(Find(condition, "batch-dependent").verdict(), verdict) << condition.id();
    }
  }
}

TEST_F(ModelFaults, AModelThatWritesIntoItsInputAnswersLikeItsTwin) {
  ASSAY_TEST_DATA_OR_SKIP(images, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(in_place, "models2x/odd/resnet_inplace_trace.pt");
  ASSAY_TEST_DATA_OR_SKIP(twin, "models2x/odd/resnet_batch1_trace.pt");
  StartServer();
  const std::vector<std::string> conditions = {"clean", "attack/pgd:steps=2"};
  const v1::Report found = Report(in_place, AsItIs, conditions);
  const v1::Report wanted = Report(twin, AsItIs, conditions);
  ASSERT_EQ(found.conditions_size(), 2);
  EXPECT_GT(found.conditions(1).attack().backwards(), 0);
  for (int c = 0; c < 2; ++c) {
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(found.conditions(c).confusion_matrix(i).ShortDebugString(),
                wanted.conditions(c).confusion_matrix(i).ShortDebugString());
    }
  }
}

TEST_F(ModelFaults, OperatorsThatAnOldLibTorchLacksAreDefinedHere) {
  ASSAY_TEST_DATA_OR_SKIP(images, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(vit, "models2x/torch-2.14/vit_trace.pt");
  StartServer();
  const v1::Evaluation end = Evaluate(vit, AsItIs, {"clean"});
  EXPECT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
}

}  // namespace
}  // namespace assay::testing
