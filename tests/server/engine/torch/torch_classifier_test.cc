// The zoo of tests/models through TorchClassifier: each model gets the verdict that it deserves.
#include "server/engine/torch/torch_classifier.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/models/model_file.h"
#include "gmock/gmock.h"
#include "tests/test_data.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointwise;

constexpr Shape kZooShape{3, 8, 8};

absl::StatusOr<std::unique_ptr<TorchClassifier>> LoadZoo(const std::string& name,
                                                         Shape shape = kZooShape,
                                                         int batch_size = 4) {
  LoadOptions options;
  options.model_path = absl::StrCat(ASSAY_BINARY_DIR, "/tests/zoo/", name, ".pt");
  options.shape = shape;
  options.threads = 1;
  options.batch_size = batch_size;
  return TorchClassifier::Load(options);
}

struct Verdict {
  const char* model;
  Reason reason;
  const char* text;
};

class RefusedModel : public ::testing::TestWithParam<Verdict> {};

TEST_P(RefusedModel, FailsAtLoadWithAClearReason) {
  const auto loaded = LoadZoo(GetParam().model);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(ReasonOf(loaded.status()), GetParam().reason) << loaded.status();
  EXPECT_THAT(loaded.status().message(), HasSubstr(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    Zoo, RefusedModel,
    ::testing::Values(Verdict{"not_torchscript", Reason::kInvalidModel, "no format that is known"},
                      Verdict{"truncated", Reason::kInvalidModel, "cut off on its way"},
                      Verdict{"nan", Reason::kModelNotFinite, "not finite"},
                      Verdict{"wrong_shape", Reason::kModelOutputInvalid, "4 x 2 x 2"},
                      Verdict{"wrong_count", Reason::kModelOutputInvalid, "3 x 4"},
                      Verdict{"tuple_output", Reason::kModelOutputInvalid, "a tuple of"},
                      Verdict{"raises", Reason::kModelFailed, "always raises"},
                      Verdict{"adapts_always", Reason::kModelFailed,
                              "'forward' computes gradients, and passes are made without"},
                      Verdict{"newer", Reason::kInvalidModel,
                              "calls aten::addmm_of_tomorrow, which LibTorch"},
                      Verdict{"hungry", Reason::kOutOfMemory, "memory"}),
    [](const auto& row) { return row.param.model; });

TEST(TorchClassifier, ImagesThatDoNotSuitTheModelAreExplained) {
  const auto gray = LoadZoo("tiny_cnn", {1, 8, 8});
  EXPECT_EQ(ReasonOf(gray.status()), Reason::kModelInputMismatch);
  EXPECT_THAT(gray.status().message(), HasSubstr("1x8x8"));
  EXPECT_THAT(gray.status().message(), HasSubstr("expects 3 channels"));
  const auto large = LoadZoo("linear", {3, 9, 9});
  EXPECT_EQ(ReasonOf(large.status()), Reason::kModelInputMismatch) << large.status();
}

std::string Warnings(const std::string& model) {
  const auto loaded = LoadZoo(model);
  EXPECT_TRUE(loaded.ok()) << model << ": " << loaded.status();
  std::string all;
  if (loaded.ok()) {
    for (const std::string& warning : (*loaded)->validation().warnings()) {
      absl::StrAppend(&all, warning, "\n");
    }
  }
  return all;
}

TEST(TorchClassifier, WhatIsOddButWorksIsSaid) {
  EXPECT_EQ(Warnings("linear"), "");
  EXPECT_EQ(Warnings("tiny_cnn"), "");
  EXPECT_THAT(Warnings("tiny_cnn_train_mode"), HasSubstr("training mode"));
  EXPECT_THAT(Warnings("constant"), HasSubstr("gradient"));
  EXPECT_THAT(Warnings("zero_gradient"), HasSubstr("gradient is zero or not finite"));
  EXPECT_THAT(Warnings("random"), HasSubstr("not reproducible"));
  EXPECT_THAT(Warnings("softmax"), HasSubstr("probabilities"));
  EXPECT_THAT(Warnings("adapts"), HasSubstr("'forward' computes gradients by itself"));
  EXPECT_THAT(Warnings("nan_some"), HasSubstr("not finite on some"));
  EXPECT_THAT(Warnings("double_output"), HasSubstr("float32"));
  EXPECT_EQ(Warnings("in_place"), "");
  EXPECT_THAT(Warnings("batch_of_8"), HasSubstr("batches of exactly 8 images"));
  EXPECT_THAT(Warnings("batch_of_1"), HasSubstr("batches of exactly 1 image,"));
}

TEST(TorchClassifier, DependenceOnTheRestOfTheBatchIsFoundAndItsCauseNamed) {
  for (const int batch : {2, 4, 16}) {
    for (const char* independent : {"linear", "tiny_cnn", "tiny_cnn_train_mode", "nan_some"}) {
      const auto loaded = LoadZoo(independent, kZooShape, batch);
      ASSERT_TRUE(loaded.ok()) << independent << ": " << loaded.status();
      ASSERT_TRUE((*loaded)->validation().numerics().has_batch_difference()) << independent;
      EXPECT_EQ((*loaded)->validation().numerics().batch_difference(), 0) << independent;
    }
    for (const char* dependent : {"batch_statistics", "training_norm"}) {
      const auto loaded = LoadZoo(dependent, kZooShape, batch);
      ASSERT_TRUE(loaded.ok()) << dependent << ": " << loaded.status();
      EXPECT_GT((*loaded)->validation().numerics().batch_difference(), 0.01) << dependent;
    }
  }
  EXPECT_THAT(Warnings("batch_statistics"), HasSubstr("with the other images of the batch"));
  EXPECT_THAT(Warnings("batch_statistics"), Not(HasSubstr("eval()")));
  EXPECT_THAT(Warnings("training_norm"),
              HasSubstr("its aten::batch_norm trains whatever the mode"));
  EXPECT_THAT(Warnings("training_norm"), HasSubstr("call model.eval() before"));
  EXPECT_THAT(Warnings("training_norm"), Not(HasSubstr("it is evaluated in eval mode")));
}

// Logits of the plain pass and of the gradient pass, and gradients.
struct Passes {
  std::vector<float> forward, logits, gradient;
};

// Of 3 x 8 x 8 images through a model of four classes.
Passes PassesOf(TorchClassifier& model, const std::vector<float>& images) {
  const int count = static_cast<int>(images.size() / kZooShape.size());
  const auto rows = static_cast<size_t>(
      std::max(model.forward_sizes().Holding(count), model.gradient_sizes().Holding(count)));
  std::vector<float> padded = images;
  padded.resize(rows * kZooShape.size());
  Passes passes{std::vector<float>(rows * 4), std::vector<float>(rows * 4),
                std::vector<float>(padded.size())};
  absl::Status status = model.Forward(padded.data(), count, passes.forward.data());
  EXPECT_TRUE(status.ok()) << status;
  status = model.ForwardBackward(
      padded.data(), count,
      [&](const float*, float* derivative) {
        for (int i = 0; i < count * 4; ++i) derivative[i] = static_cast<float>(i % 3);
      },
      passes.logits.data(), passes.gradient.data());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(std::equal(images.begin(), images.end(), padded.begin()))
      << "it wrote into the images of its caller";
  passes.forward.resize(static_cast<size_t>(count) * 4);
  passes.logits.resize(static_cast<size_t>(count) * 4);
  passes.gradient.resize(images.size());
  return passes;
}

TEST(TorchClassifier, ModelsThatWriteIntoTheirInputGetACopy) {
  const auto reference = LoadZoo("linear");
  ASSERT_TRUE(reference.ok());
  // Pixels above 1, as noise makes them: one model writes only then.
  std::vector<float> images(4 * kZooShape.size());
  for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i % 31) / 25;
  for (const char* name : {"in_place", "in_place_when_bright"}) {
    const auto loaded = LoadZoo(name);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_TRUE((*loaded)->validation().differentiable());
    const Passes passes = PassesOf(**loaded, images);
    EXPECT_THAT(passes.forward, Pointwise(FloatNear(1e-5F), passes.logits)) << name;
    // In eighths of 1 the arithmetic of the model is exact, so it computes what "linear" does.
    std::vector<float> exact(images.size());
    for (size_t i = 0; i < exact.size(); ++i) exact[i] = static_cast<float>(i % 7) / 8;
    const Passes found = PassesOf(**loaded, exact), wanted = PassesOf(**reference, exact);
    EXPECT_EQ(found.forward, wanted.forward) << name;
    EXPECT_EQ(found.gradient, wanted.gradient) << name;
  }
}

TEST(TorchClassifier, ABatchSizeThatIsTracedInIsUsed) {
  const auto reference = LoadZoo("linear", kZooShape, 8);
  ASSERT_TRUE(reference.ok());
  std::vector<float> images(8 * kZooShape.size());
  for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i % 23) / 23;
  const Passes wanted = PassesOf(**reference, images);
  for (const int asked : {0, 4, 8}) {
    const auto loaded = LoadZoo("batch_of_8", kZooShape, asked);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_THAT((*loaded)->forward_sizes().all(), ElementsAre(8));
    EXPECT_THAT((*loaded)->gradient_sizes().all(), ElementsAre(8));
    EXPECT_EQ((*loaded)->validation().numerics().batch_size(), 8);
    const Passes found = PassesOf(**loaded, images);
    EXPECT_THAT(found.forward, Pointwise(FloatNear(1e-5F), wanted.forward));
    EXPECT_THAT(found.gradient, Pointwise(FloatNear(1e-5F), wanted.gradient));
    EXPECT_EQ(ReasonOf((*loaded)->ShrinkBatches()), Reason::kOutOfMemory);
  }
  const auto single = LoadZoo("batch_of_1");
  ASSERT_TRUE(single.ok()) << single.status();
  EXPECT_THAT((*single)->forward_sizes().all(), ElementsAre(1));
  EXPECT_TRUE((*single)->validation().differentiable());
  EXPECT_LT((*single)->validation().gradient_relative_error(), 0.01);
  images.resize(kZooShape.size());
  const Passes found = PassesOf(**single, images);
  for (size_t k = 0; k < 4; ++k) EXPECT_NEAR(found.forward[k], wanted.forward[k], 1e-5);
}

TEST(TorchClassifier, FreezingAndEvalModeGiveTheLogitsOfTheSameWeights) {
  const auto eval = LoadZoo("tiny_cnn");
  const auto train = LoadZoo("tiny_cnn_train_mode");
  ASSERT_TRUE(eval.ok() && train.ok());
  EXPECT_TRUE((*eval)->validation().frozen());
  const std::vector<float> images(4 * kZooShape.size(), 0.25F);
  EXPECT_EQ(PassesOf(**eval, images).forward, PassesOf(**train, images).forward);
}

TEST(TorchClassifier, WhatAModelDetachesStaysDetached) {
  const std::vector<float> images(4 * kZooShape.size(), 0.5F);
  const auto linear = LoadZoo("linear");
  ASSERT_TRUE(linear.ok()) << linear.status();
  const std::vector<float> wanted = PassesOf(**linear, images).gradient;
  for (const bool in_place : {false, true}) {
    const auto loaded = LoadZoo(in_place ? "straight_through_in_place" : "straight_through");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ((*loaded)->validation().frozen(), !in_place);
    EXPECT_TRUE((*loaded)->validation().differentiable());
    EXPECT_THAT(PassesOf(**loaded, images).gradient, Pointwise(FloatNear(1e-5F), wanted));
    const std::string warnings = absl::StrJoin((*loaded)->validation().warnings(), "\n");
    EXPECT_EQ(absl::StrContains(warnings, "freezing changes its gradients"), in_place);
  }
}

// A model of the zoo that computes in `precision`.
absl::StatusOr<std::unique_ptr<TorchClassifier>> LoadIn(v1::ModelInterface::Precision precision,
                                                        const std::string& name) {
  v1::ModelInterface interface;
  interface.set_precision(precision);
  std::ifstream file(absl::StrCat(ASSAY_BINARY_DIR, "/tests/zoo/", name, ".pt"), std::ios::binary);
  LoadOptions options;
  options.model_path = absl::StrCat(::testing::TempDir(), "/in_precision_", getpid(), ".pt");
  std::ofstream(options.model_path, std::ios::binary)
      << file.rdbuf() << InterfaceTrailer(interface);
  options.shape = kZooShape;
  auto loaded = TorchClassifier::Load(options);
  std::remove(options.model_path.c_str());
  return loaded;
}

TEST(TorchClassifier, ComputesInTheModelsPrecision) {
  std::vector<float> images(4 * kZooShape.size());
  for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i % 101) / 101;
  for (const char* name : {"linear", "tiny_cnn", "straight_through"}) {
    const auto plain = LoadZoo(name);
    ASSERT_TRUE(plain.ok()) << plain.status();
    EXPECT_EQ((*plain)->validation().numerics().precision(), "");
    const Passes wanted = PassesOf(**plain, images);

    const auto rounded = LoadIn(v1::ModelInterface::BF16, name);
    ASSERT_TRUE(rounded.ok()) << rounded.status();
    const v1::ModelValidation& validation = (*rounded)->validation();
    EXPECT_EQ(validation.numerics().precision(), "bf16");
    EXPECT_NE(validation.numerics().digest(), (*plain)->validation().numerics().digest());
    EXPECT_GT(validation.precision_difference(), 0);
    EXPECT_LT(validation.precision_difference(), 0.05);
    EXPECT_THAT(absl::StrJoin(validation.warnings(), "\n"), HasSubstr("in this precision"));
    const Passes found = PassesOf(**rounded, images);
    EXPECT_NE(found.forward, wanted.forward);
    // 8 bits of mantissa, over some hundred products.
    EXPECT_THAT(found.forward, Pointwise(FloatNear(0.05F), wanted.forward));
    EXPECT_THAT(found.logits, Pointwise(FloatNear(0.05F), wanted.forward));
    double apart = 0, squared = 0;
    for (size_t i = 0; i < wanted.gradient.size(); ++i) {
      apart += std::pow(double{found.gradient[i]} - wanted.gradient[i], 2);
      squared += std::pow(double{wanted.gradient[i]}, 2);
    }
    // In the network units at their kinks, and pixels that are nearly equal where one is pooled,
    // fall to the other side.
    EXPECT_LT(std::sqrt(apart / squared), name == std::string("tiny_cnn") ? 0.3 : 0.02);
  }
  // On a CPU that is float32.
  const auto tf32 = LoadIn(v1::ModelInterface::TF32, "tiny_cnn");
  ASSERT_TRUE(tf32.ok()) << tf32.status();
  EXPECT_EQ((*tf32)->validation().numerics().precision(), "");
  const auto unfrozen = LoadIn(v1::ModelInterface::BF16, "straight_through_in_place");
  EXPECT_EQ(ReasonOf(unfrozen.status()), Reason::kInvalidModel);
  EXPECT_THAT(unfrozen.status().message(), HasSubstr("needs a model that can be frozen"));
}

// The weights are written beside the model as text.
TEST(TorchClassifier, LogitsAndGradientsOfALinearModelAreItsWeights) {
  const auto loaded = LoadZoo("linear");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  TorchClassifier& model = **loaded;
  ASSERT_EQ(model.num_classes(), 4);
  const size_t size = kZooShape.size();
  const auto rows = static_cast<size_t>(model.gradient_sizes().Holding(4));
  std::vector<float> images(rows * size), logits(rows * 4), gradient(rows * size);
  const std::vector<float> base = PassesOf(model, std::vector<float>(size)).logits;
  // A unit image shows one weight in the logits; the gradient must show the same.
  images[10] = 1;
  ASSERT_TRUE(
      model
          .ForwardBackward(
              images.data(), 4,
              [](const float*, float* derivative) { derivative[2] = 1; },  // slot 0, logit 2
              logits.data(), gradient.data())
          .ok());
  EXPECT_NEAR(gradient[10], logits[2] - base[2], 1e-5);
  for (size_t i = size; i < 4 * size; ++i) ASSERT_EQ(gradient[i], 0) << "other slots asked nothing";
}

TEST(TorchClassifier, ResultsOfASlotDoNotDependOnTheOthers) {
  const auto loaded = LoadZoo("tiny_cnn");
  ASSERT_TRUE(loaded.ok());
  const size_t size = kZooShape.size();
  std::vector<float> alone(size), crowd(4 * size);
  for (size_t i = 0; i < size; ++i) alone[i] = static_cast<float>(i % 17) / 17;
  for (size_t i = 0; i < 4 * size; ++i) crowd[i] = static_cast<float>(i % 29) / 29;
  std::copy_n(alone.begin(), size, crowd.begin() + static_cast<int64_t>(2 * size));
  const Passes a = PassesOf(**loaded, alone), b = PassesOf(**loaded, crowd);
  for (size_t k = 0; k < 4; ++k) EXPECT_EQ(a.forward[k], b.forward[8 + k]);
}

TEST(TorchClassifier, ErrorsInMidWorkNameTheModelsOwnText) {
  const auto loaded = LoadZoo("raises_later");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  std::vector<float> images(32 * kZooShape.size(), 0.95F), logits(32 * 4);
  const absl::Status status = (*loaded)->Forward(images.data(), 4, logits.data());
  EXPECT_EQ(ReasonOf(status), Reason::kModelFailed);
  EXPECT_THAT(status.message(), HasSubstr("first pixel too bright"));
}

TEST(TorchClassifier, SizesThatDoNotFitIntoMemoryAreNotUsed) {
  const auto loaded = LoadZoo("hungry_above_4", kZooShape, 0);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_LE((*loaded)->forward_sizes().largest(), 8);
  std::vector<float> images(8 * kZooShape.size(), 0.5F), logits(8 * 4);
  // A single size is left, so it is one of those that follow the number of samples.
  EXPECT_EQ(ReasonOf((*loaded)->Forward(images.data(), 8, logits.data())), Reason::kOutOfMemory);
  const std::string before = (*loaded)->validation().numerics().digest();
  ASSERT_TRUE((*loaded)->ShrinkBatches().ok());
  EXPECT_NE((*loaded)->validation().numerics().digest(), before);
  (*loaded)->ChooseBatchFor(1000);
  EXPECT_THAT((*loaded)->forward_sizes().all(), ElementsAre(4));
  EXPECT_TRUE((*loaded)->Forward(images.data(), 4, logits.data()).ok());
  ASSERT_TRUE((*loaded)->ShrinkBatches().ok());
  ASSERT_TRUE((*loaded)->ShrinkBatches().ok());
  EXPECT_EQ(ReasonOf((*loaded)->ShrinkBatches()), Reason::kOutOfMemory);
}

// One row for each image: logits of the plain pass, then logits and gradient of the gradient pass.
std::vector<std::vector<float>> Rows(TorchClassifier& model, const std::vector<float>& images) {
  const Passes passes = PassesOf(model, images);
  std::vector<std::vector<float>> rows;
  for (size_t i = 0; i < images.size() / kZooShape.size(); ++i) {
    std::vector<float> row(&passes.forward[4 * i], &passes.forward[4 * i] + 4);
    row.insert(row.end(), &passes.logits[4 * i], &passes.logits[4 * i] + 4);
    row.insert(row.end(), &passes.gradient[i * kZooShape.size()],
               &passes.gradient[i * kZooShape.size()] + kZooShape.size());
    rows.push_back(row);
  }
  return rows;
}

// Twelve images (the derivatives that PassesOf asks for repeat with three) in batches of all sizes,
// with one lane and with several at once while others compute: the same bits. The backward pass of
// a lane is its own, so lanes do not wait for each other.
TEST(TorchClassifier, ResultsDependNeitherOnTheBatchNorOnTheLanesAtWork) {
  for (const char* name : {"tiny_cnn", "linear"}) {
    SCOPED_TRACE(name);
    const auto loaded = LoadZoo(name, kZooShape, 0);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    TorchClassifier& model = **loaded;
    EXPECT_GE(model.forward_sizes().all().size(), 2u);
    EXPECT_EQ(model.validation().numerics().batch_size(), 0);
    EXPECT_NE(model.validation().numerics().probes(), "");
    const size_t size = kZooShape.size();
    std::vector<float> images(12 * size);
    for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i % 101) / 101;
    const auto expected = Rows(model, images);
    std::vector<std::thread> lanes;
    std::atomic<int> different = 0;
    for (int lane = 0; lane < 4; ++lane) {
      lanes.emplace_back([&, lane] {
        model.BindThread(0);
        for (int round = 0; round < 50; ++round) {
          for (const size_t count : {3, 6, 12}) {
            const size_t first = static_cast<size_t>(lane + round) % (12 / count) * count;
            const std::vector<float> part(&images[first * size],
                                          &images[first * size] + count * size);
            const auto rows = Rows(model, part);
            for (size_t i = 0; i < count; ++i) different += rows[i] == expected[first + i] ? 0 : 1;
          }
        }
      });
    }
    for (std::thread& lane : lanes) lane.join();
    EXPECT_EQ(different, 0);
  }
}

TEST(TorchClassifier, NumericsDoNotDependOnThreadsOrTheLimitOfTheBatch) {
  LoadOptions options;
  options.model_path = absl::StrCat(ASSAY_BINARY_DIR, "/tests/zoo/tiny_cnn.pt");
  options.shape = kZooShape;
  std::set<std::string> digests;
  for (const int threads : {1, 3}) {
    for (const int batch_size : {0, 16}) {
      options.threads = threads;
      options.batch_size = batch_size;
      const auto loaded = TorchClassifier::Load(options);
      ASSERT_TRUE(loaded.ok()) << loaded.status();
      EXPECT_EQ((*loaded)->lanes(), threads);
      EXPECT_LE((*loaded)->forward_sizes().largest(), batch_size == 0 ? 32 : 16);
      EXPECT_EQ((*loaded)->validation().numerics().forward_form(), "optimized");
      digests.insert((*loaded)->validation().numerics().digest());
    }
  }
  EXPECT_EQ(digests.size(), 1u);
}

TEST(TorchClassifier, AModelThatDependsOnTheBatchKeepsOneSizeThatFitsTheEvaluation) {
  const auto loaded = LoadZoo("batch_statistics", kZooShape, 0);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  std::set<std::string> digests;
  for (const auto& [samples, size] : {std::pair{10, 8}, {40, 16}, {1000, 32}}) {
    (*loaded)->ChooseBatchFor(samples);
    EXPECT_THAT((*loaded)->forward_sizes().all(), ElementsAre(size));
    EXPECT_THAT((*loaded)->gradient_sizes().all(), ElementsAre(size));
    EXPECT_EQ((*loaded)->validation().numerics().batch_size(), size);
    digests.insert((*loaded)->validation().numerics().digest());
  }
  EXPECT_EQ(digests.size(), 3u);
}

TEST(TorchClassifier, EveryRealModelPassesValidation) {
  ASSAY_TEST_DATA_OR_SKIP(resnet, "models/cifar10_resnet20.pt");
  LoadOptions options;
  options.model_path = resnet;
  options.shape = {3, 32, 32};
  options.batch_size = 8;
  const auto loaded = TorchClassifier::Load(options);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto& validation = (*loaded)->validation();
  EXPECT_EQ(validation.num_classes(), 10);
  EXPECT_TRUE(validation.frozen());
  EXPECT_TRUE(validation.differentiable());
  EXPECT_LT(validation.gradient_relative_error(), 0.05);
  EXPECT_EQ(validation.warnings_size(), 0);
}

TEST(Devices, TheCpuIsAlwaysThere) { EXPECT_EQ(AvailableDevices().back(), "cpu"); }

TEST(Devices, OfADeviceItIsKnownWhatFingerprintsWillSay) {
  EXPECT_EQ(OriginOf("cpu").device_kind, "cpu");
  EXPECT_EQ(OriginOf("cpu:1").device_kind, "cpu");
  EXPECT_FALSE(OriginOf("cpu").libtorch_version.empty());
}

}  // namespace
}  // namespace assay::engine
