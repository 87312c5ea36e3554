// Models in the formats of today through a real server: the same network is the same model in all
// of them, and what a model lacks is said by its interface.
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/data/open_dataset.h"
#include "core/base/errors.h"
#include "core/models/model_interface.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/integration/zoo_fixture.h"
#include "tests/test_data.h"

namespace assay::testing {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

// By condition and sample.
using SampleOutcomes = std::map<std::pair<std::string, int64_t>, v1::Outcome>;

// Images of another dataset under other labels.
class Relabelled : public client::DatasetReader {
 public:
  Relabelled(client::DatasetReader& images, std::vector<int32_t> labels)
      : images_(images), labels_(std::move(labels)) {}
  const v1::ImageShape& shape() const override { return images_.shape(); }
  v1::PixelType pixel_type() const override { return images_.pixel_type(); }
  const std::vector<std::string>& class_names() const override { return images_.class_names(); }
  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  absl::Status Read(int64_t first, int64_t count, std::vector<int32_t>* labels,
                    std::string* pixels) override {
    std::vector<int32_t> replaced;
    labels->insert(labels->end(), labels_.begin() + first, labels_.begin() + first + count);
    return images_.Read(first, count, &replaced, pixels);
  }

 private:
  client::DatasetReader& images_;
  const std::vector<int32_t> labels_;
};

class ModelFormatsTest : public ZooFixture {
 protected:
  ModelFormatsTest() { extra_flags_ = {"--threads", "2"}; }

  // Of the first `limit` CIFAR images; of as many as there are labels, under those, where there
  // are any.
  SampleOutcomes Evaluate(const std::string& path, const std::vector<std::string>& conditions,
                          int64_t limit, const v1::ModelInterface& interface = {},
                          const std::vector<int32_t>& labels = {}) {
    SampleOutcomes all;
    client::OpenOptions options;
    options.paths = {TestData("cifar10_test_1000.bin")};
    auto reader = client::OpenDataset(options);
    EXPECT_TRUE(reader.ok()) << reader.status();
    if (!labels.empty()) {
      images_ = *std::move(reader);
      reader = std::make_unique<Relabelled>(*images_, labels);
    }
    client::DatasetUpload upload;
    upload.stem = "cifar";
    upload.limit = limit;
    const auto dataset = client_->UploadDataset(**reader, upload, nullptr);
    const auto model = client_->UploadModel(path, "", nullptr, interface);
    EXPECT_TRUE(dataset.ok() && model.ok()) << dataset.status() << model.status();
    if (!dataset.ok() || !model.ok()) return all;
    v1::EvaluationSpec spec = Spec(model->resource.name(), dataset->resource.name(), conditions);
    spec.set_allow_missing_classes(true);
    const v1::Evaluation end = Run(spec);
    EXPECT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << path << ": " << end.failure().message();
    const absl::Status status =
        client_->StreamOutcomes(end.name(), {}, [&](const v1::StreamOutcomesResponse& batch) {
          for (const v1::Outcome& outcome : batch.outcomes()) {
            all[{batch.condition(), outcome.sample()}] = outcome;
          }
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return all;
  }

  // SampleOutcomes with another prediction.
  static int Differ(const SampleOutcomes& a, const SampleOutcomes& b) {
    EXPECT_EQ(a.size(), b.size());
    int count = 0;
    for (const auto& [key, outcome] : a) {
      const auto other = b.find(key);
      count += other == b.end() || other->second.prediction() != outcome.prediction() ? 1 : 0;
    }
    return count;
  }

 private:
  std::unique_ptr<client::DatasetReader> images_;
};

TEST_F(ModelFormatsTest, ANetworkIsTheSameModelInAllFormats) {
  ASSAY_TEST_DATA_OR_SKIP(trace, "models2x/torch-2.6/resnet_trace.pt");
  StartServer();
  const std::vector<std::string> conditions = {"clean", "attack/apgd-ce:eps=1/255,steps=10"};
  const auto reference = Evaluate(trace, conditions, 60);
  EXPECT_EQ(reference.size(), 120u);
  for (const char* file : {"resnet_script.pt", "resnet.pt2", "resnet.onnx"}) {
    const auto other =
        Evaluate(TestData(absl::StrCat("models2x/torch-2.6/", file)), conditions, 60);
    // Rounding decides for points on a boundary.
    EXPECT_LE(Differ(reference, other), 1) << file;
  }
}

// The network has random weights, so its own predictions are the labels: all is right until
// attacked.
TEST_F(ModelFormatsTest, AutoAttackAndBoundsAreTheSameInAllFormats) {
  ASSAY_TEST_DATA_OR_SKIP(trace, "models2x/torch-2.6/resnet_trace.pt");
  StartServer();
  std::vector<int32_t> labels;
  for (const auto& [key, outcome] : Evaluate(trace, {"clean"}, 4)) {
    labels.push_back(outcome.prediction());
  }
  const std::vector<std::string> conditions = {"attack/autoattack:eps=6/255",
                                               "bounds/ibp:eps=0.0001",
                                               "bounds/crown:eps=0.00001,intermediate=ibp"};
  const SampleOutcomes reference = Evaluate(trace, conditions, 0, {}, labels);
  ASSERT_EQ(reference.size(), 12u);
  int robust = 0;
  int certified = 0;
  for (const auto& [key, outcome] : reference) {
    robust += outcome.has_attack() && !outcome.attack().success() ? 1 : 0;
    certified += outcome.bounds().certified() ? 1 : 0;
  }
  EXPECT_THAT(robust, AllOf(Ge(1), Le(3)));
  EXPECT_THAT(certified, AllOf(Ge(1), Le(7)));
  for (const char* file : {"resnet_script.pt", "resnet.pt2", "resnet.onnx"}) {
    const SampleOutcomes other =
        Evaluate(TestData(absl::StrCat("models2x/torch-2.6/", file)), conditions, 0, {}, labels);
    ASSERT_EQ(other.size(), reference.size()) << file;
    int differ = 0;
    for (const auto& [key, outcome] : reference) {
      const v1::Outcome& same = other.at(key);
      differ += same.attack().success() != outcome.attack().success() ? 1 : 0;
      EXPECT_NEAR(same.bounds().margin(), outcome.bounds().margin(), 1e-5)
          << file << " " << key.first << " " << key.second;
    }
    // Rounding decides for points on a boundary.
    EXPECT_LE(differ, 1) << file;
  }
}

TEST_F(ModelFormatsTest, AnOnnxFileWithItsNormalisationIsItsTorchScriptTwin) {
  ASSAY_TEST_DATA_OR_SKIP(onnx, "models2x/onnx-real/sri_resnet_b.onnx");
  ASSAY_TEST_DATA_OR_SKIP(twin, "models/cifar10_sri_resnet_b_adv.pt");
  StartServer();
  ModelInterfaceOptions options;
  options.normalize = "mean=0.4914,0.4822,0.4465,std=0.2023,0.1994,0.2010";
  const std::vector<std::string> conditions = {"clean", "attack/pgd:eps=2/255,steps=10"};
  const auto a = Evaluate(onnx, conditions, 100, *ParseModelInterface(options));
  EXPECT_LE(Differ(Evaluate(twin, conditions, 100), a), 1);
  // Bounds see through it.
  const std::vector<std::string> bounds = {"bounds/ibp:eps=0.00001"};
  const SampleOutcomes c = Evaluate(twin, bounds, 10),
                       d = Evaluate(onnx, bounds, 10, *ParseModelInterface(options));
  ASSERT_EQ(c.size(), d.size());
  for (const auto& [key, outcome] : c) {
    EXPECT_EQ(d.at(key).bounds().certified(), outcome.bounds().certified());
    EXPECT_NEAR(d.at(key).bounds().margin(), outcome.bounds().margin(), 1e-3);
  }
  // Without it, the model is another one.
  EXPECT_GT(Differ(Evaluate(onnx, conditions, 100), a), 10);
}

TEST_F(ModelFormatsTest, TheSameFileWithAnotherInterfaceSharesItsChunks) {
  StartServer();
  const std::string path = ASSAY_BINARY_DIR "/tests/zoo/linear.pt";
  const auto plain = client_->UploadModel(path, "", nullptr);
  ModelInterfaceOptions options;
  options.input_range = "0..255";
  const auto ranged = client_->UploadModel(path, "", nullptr, *ParseModelInterface(options));
  ASSERT_TRUE(plain.ok() && ranged.ok()) << plain.status() << ranged.status();
  EXPECT_NE(plain->resource.digest(), ranged->resource.digest());
  const auto again = client_->UploadModel(path, "", nullptr, *ParseModelInterface(options));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->stats.sent_chunks, 0);
  v1::ImageShape shape;
  shape.set_channels(3);
  shape.set_height(8);
  shape.set_width(8);
  const auto loaded = client_->LoadModel(ranged->resource.name(), &shape);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->validation().interface().range_high(), 255);
  EXPECT_EQ(loaded->validation().format(), "TorchScript");
  EXPECT_GT(loaded->validation().details().forward_images_per_second(), 0);
  EXPECT_GT(loaded->validation().details().operators_size(), 0);
}

TEST_F(ModelFormatsTest, InspectTellsWhatAFileIsWithoutAServer) {
  const std::string out = directory_.path() + "/inspect.json";
  const auto inspect = [&out](const std::string& arguments) {
    return std::system(absl::StrCat(ASSAY_BINARY_DIR "/bin/assay --quiet -o json model inspect ",
                                    arguments, " >", out, " 2>&1")
                           .c_str());
  };
  const std::string linear = ASSAY_BINARY_DIR "/tests/zoo/linear.pt";
  ASSERT_EQ(inspect(linear + " --shape 3x8x8"), 0);
  const nlohmann::json model = nlohmann::json::parse(std::ifstream(out));
  EXPECT_EQ(model["validation"]["format"], "TorchScript");
  EXPECT_GT(model["validation"]["details"]["weights"].size(), 0u);
  // None of the usual shapes.
  EXPECT_NE(inspect(linear), 0);
  const std::string text{std::istreambuf_iterator<char>(std::ifstream(out).rdbuf()), {}};
  EXPECT_THAT(text, HasSubstr("give --shape CxHxW"));
}

}  // namespace
}  // namespace assay::testing
