// Deterministic bounds of a real model against adversarial examples that the original AutoAttack
// found for it.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "server/engine/run_task.h"
#include "server/engine/torch/torch_classifier.h"
#include "tests/test_data.h"

namespace assay::engine {
namespace {

using nlohmann::json;

constexpr Shape kCifar{3, 32, 32};

// Images of a CIFAR binary file: a byte of label and 3,072 of pixels each.
class CifarImages : public SampleSource {
 public:
  CifarImages(const std::string& path, size_t count) : bytes_(count * kRecord) {
    std::ifstream file(path, std::ios::binary);
    file.read(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
    EXPECT_TRUE(file) << path;
  }
  size_t size() const override { return bytes_.size() / kRecord; }
  int64_t index(size_t i) const override { return static_cast<int64_t>(i); }
  int label(size_t i) const override { return bytes_[i * kRecord]; }
  void ReadImage(size_t i, float* pixels) const override {
    for (size_t j = 0; j < kCifar.size(); ++j) {
      pixels[j] =
          static_cast<float>(static_cast<unsigned char>(bytes_[i * kRecord + 1 + j])) / 255.0F;
    }
  }

 private:
  static constexpr size_t kRecord = 3073;
  std::vector<char> bytes_;
};

class Quiet : public TaskObserver {
 public:
  void OnProgress(int64_t, double) override {}
  bool Cancelled() override { return false; }
};

TEST(RealBounds, NoSampleThatAutoAttackBreaksIsCertified) {
  ASSAY_TEST_DATA_OR_SKIP(images_path, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(golden_path, "golden/autoattack.json");
  ASSAY_TEST_DATA_OR_SKIP(model_path, "models/cifar10_cnn_a_adv.pt");
  std::ifstream golden_file(golden_path);
  json broken_by;
  for (const json& block : json::parse(golden_file)) {
    if (block["model"] == "cifar10_cnn_a_adv" && block["norm"] == "Linf") {
      broken_by = block["broken_by"];
    }
  }
  const CifarImages images(images_path, 100);
  LoadOptions options;
  options.model_path = model_path;
  options.shape = kCifar;
  options.threads = 2;
  options.batch_size = 50;
  const auto model = TorchClassifier::Load(options);
  ASSERT_TRUE(model.ok()) << model.status();
  (*model)->BindThread(0);
  std::vector<bool> interval;
  int crown_certified = 0, robust = 0;
  for (const char* expression : {"bounds/ibp:eps=2/255", "bounds/crown:eps=2/255,intermediate=ibp",
                                 "bounds/crown:eps=2/255"}) {
    const auto condition = ParseConditions({expression});
    Quiet observer;
    const TaskContext task{condition->at(0), 1, images, **model, observer};
    const auto outcomes = RunTask(task, {nullptr, [&] { return (*model)->network(); }});
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    int certified = 0;
    robust = 0;
    double tightness = 0;
    for (size_t i = 0; i < images.size(); ++i) {
      const v1::Outcome& outcome = (*outcomes)[i];
      const bool proven = outcome.prediction() == outcome.label() && outcome.bounds().certified();
      EXPECT_FALSE(proven && !broken_by[i].is_null()) << expression << " image " << i;
      certified += proven ? 1 : 0;
      robust += broken_by[i].is_null() ? 1 : 0;
      tightness += outcome.bounds().tightness();
    }
    std::cout << expression << ": certified " << certified << ", robust under AutoAttack " << robust
              << " of " << images.size() << ", mean tightness "
              << tightness / static_cast<double>(images.size()) << "\n";
    crown_certified = certified;
  }
  // The proof is worth something: of those that no attack breaks, it covers most.
  EXPECT_GE(crown_certified, robust / 2);
}

}  // namespace
}  // namespace assay::engine
