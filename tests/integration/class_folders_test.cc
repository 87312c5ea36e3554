// Real images in class folders against the same images in CIFAR's own format: the order of the
// classes decides whose logit is whose.
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/base/png_file.h"
#include "client/data/open_dataset.h"
#include "tests/integration/zoo_fixture.h"
#include "tests/test_data.h"

namespace assay::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr size_t kHorse = 7;

class ClassFoldersTest : public ZooFixture {
 protected:
  ClassFoldersTest() { extra_flags_ = {"--threads", "2", "--batch-size", "64"}; }

  // CIFAR's test images as PNG, in one folder for each class, called as `name` says.
  std::string WriteFolders(const std::string& cifar,
                           const std::function<std::string(size_t)>& name) {
    const std::string root = directory_.path() + "/images";
    fs::remove_all(root);
    const auto reader = Open(cifar);
    std::vector<int32_t> labels;
    std::string pixels;
    EXPECT_TRUE(reader->Read(0, reader->size(), &labels, &pixels).ok());
    corruptions::Image image{32, 32, 3, {}};
    image.pixels.resize(3072);
    for (size_t i = 0; i < labels.size(); ++i) {
      for (size_t p = 0; p < 1024; ++p) {
        for (size_t c = 0; c < 3; ++c) {
          image.pixels[p * 3 + c] = static_cast<uint8_t>(pixels[i * 3072 + c * 1024 + p]);
        }
      }
      const std::string folder = absl::StrCat(root, "/", name(static_cast<size_t>(labels[i])));
      fs::create_directories(folder);
      EXPECT_TRUE(cli::WritePng(absl::StrCat(folder, "/", 1000 + i, ".png"), image).ok());
    }
    return root;
  }

  static absl::StatusOr<std::unique_ptr<client::DatasetReader>> TryOpen(const std::string& path,
                                                                        bool allow = false) {
    client::OpenOptions options;
    options.paths = {path};
    options.allow_missing_classes = allow;
    return client::OpenDataset(options);
  }
  static std::unique_ptr<client::DatasetReader> Open(const std::string& path, bool allow = false) {
    auto reader = TryOpen(path, allow);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return *std::move(reader);
  }

  v1::Evaluation Evaluate(const std::string& model, client::DatasetReader& data,
                          bool allow = false) {
    v1::EvaluationSpec spec = Spec(model, Upload(data), {"clean"});
    spec.set_allow_missing_classes(allow);
    return Run(spec);
  }

  // Samples and correct ones by class.
  std::vector<std::pair<int64_t, int64_t>> PerClass(const v1::Evaluation& evaluation) {
    EXPECT_EQ(evaluation.state(), v1::Evaluation::SUCCEEDED) << evaluation.failure().message();
    report_ = *ReportOf(evaluation.name());
    std::vector<std::pair<int64_t, int64_t>> classes;
    for (const auto& one : report_.conditions(0).classes()) {
      classes.emplace_back(one.samples(), one.correct());
    }
    return classes;
  }

  v1::Report report_;
};

TEST_F(ClassFoldersTest, GiveTheNumbersOfTheSameImagesInAnyOtherFormat) {
  ASSAY_TEST_DATA_OR_SKIP(cifar, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(path, "models/cifar10_cnn_a_adv.pt");
  StartServer();
  const auto uploaded = client_->UploadModel(path, "", nullptr);
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  const std::string model = uploaded->resource.name();
  const auto original = Open(cifar);
  const std::vector<std::string> names = original->class_names();
  const auto expected = PerClass(Evaluate(model, *original));

  // By name, and by number: as ImageNetV2 is published.
  std::string folder = WriteFolders(cifar, [&](size_t label) { return names[label]; });
  EXPECT_EQ(PerClass(Evaluate(model, *Open(folder))), expected);
  // What macOS adds to an archive is no class.
  fs::create_directories(folder + "/__MACOSX/airplane");
  std::ofstream(folder + "/__MACOSX/airplane/._1000.png") << "no image";
  EXPECT_EQ(PerClass(Evaluate(model, *Open(folder))), expected);
  EXPECT_EQ(report_.notes_size(), 0);

  // Without horses, ships would be horses and trucks ships.
  fs::remove_all(folder + "/horse");
  const absl::Status refused =
      client_->CreateEvaluation(Spec(model, Upload(*Open(folder)), {"clean"}), "").status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("names 9 classes, but the model has 10"));
  std::ofstream list(folder + "/classes.txt");
  for (const std::string& name : names) list << name << "\n";
  list.close();
  EXPECT_THAT(std::string(TryOpen(folder).status().message()), HasSubstr("(horse)"));
  auto without = expected;
  without[kHorse] = {0, 0};
  EXPECT_EQ(PerClass(Evaluate(model, *Open(folder, true), true)), without);
  EXPECT_THAT(report_.notes(), ElementsAre(HasSubstr("no samples of horse")));

  folder = WriteFolders(cifar, [](size_t label) { return absl::StrCat(label); });
  EXPECT_EQ(PerClass(Evaluate(model, *Open(folder))), expected);
  EXPECT_EQ(report_.class_names(kHorse), "7");
}

// The order of 0, 1, 2, ..., 10 is that of the numbers. Eleven classes need eleven logits, and no
// model here has them: class 10 has no images that count, and the rest keep their places.
TEST_F(ClassFoldersTest, TenComesAfterNine) {
  ASSAY_TEST_DATA_OR_SKIP(cifar, "cifar10_test_1000.bin");
  ASSAY_TEST_DATA_OR_SKIP(path, "models/cifar10_cnn_a_adv.pt");
  StartServer();
  const auto uploaded = client_->UploadModel(path, "", nullptr);
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  const std::string model = uploaded->resource.name();
  const auto expected = PerClass(Evaluate(model, *Open(cifar)));
  const std::string folder = WriteFolders(cifar, [](size_t label) { return absl::StrCat(label); });
  fs::create_directories(folder + "/10");
  EXPECT_THAT(std::string(TryOpen(folder).status().message()), HasSubstr("(10)"));
  const auto eleven = Open(folder, true);
  EXPECT_EQ(eleven->class_names().size(), 11u);
  const std::string dataset = Upload(*eleven);
  const absl::Status refused =
      client_->CreateEvaluation(Spec(model, dataset, {"clean"}), "").status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("names 11 classes, but the model has 10"));
  EXPECT_EQ(PerClass(Evaluate(model, *eleven, true)), expected);
  EXPECT_THAT(report_.notes(), ElementsAre(HasSubstr("names 11 classes")));
}

}  // namespace
}  // namespace assay::testing
