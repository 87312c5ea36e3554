// The zoo of tests/models through TorchClassifier: each model gets the verdict that it deserves.
#include "server/engine/torch/torch_classifier.h"

#include <unistd.h>

#include <cmath>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/test_data.h"

namespace assay::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr Shape kZooShape{3, 8, 8};

absl::StatusOr<std::unique_ptr<TorchClassifier>> LoadZoo(const std::string& name,
                                                         Shape shape = kZooShape,
                                                         int batch_size = 4) {
  LoadOptions options;
  options.model_path = absl::StrCat(ASSAY_BINARY_DIR, "/tests/zoo/", name, ".pt");
  options.shape = shape;
  options.threads = 1;
  options.batch_size = batch_size;
  options.memory_format = "nchw";
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
    ::testing::Values(Verdict{"not_torchscript", Reason::kInvalidModel, "not a TorchScript model"},
                      Verdict{"truncated", Reason::kInvalidModel, "not a TorchScript model"},
                      Verdict{"nan", Reason::kModelNotFinite, "not finite"},
                      Verdict{"wrong_shape", Reason::kModelOutputInvalid, "4 x 2 x 2"},
                      Verdict{"wrong_count", Reason::kModelOutputInvalid, "3 x 4"},
                      Verdict{"tuple_output", Reason::kModelOutputInvalid, "Tuple"},
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

// Logits and gradients of `model` for `images`, whose number is its batch size.
struct Passes {
  std::vector<float> forward, logits, gradient;
};

Passes PassesOf(TorchClassifier& model, const std::vector<float>& images) {
  const size_t rows = images.size() / kZooShape.size();
  Passes passes{std::vector<float>(rows * 4), std::vector<float>(rows * 4),
                std::vector<float>(images.size())};
  EXPECT_TRUE(model.Forward(images.data(), passes.forward.data()).ok());
  const absl::Status status = model.ForwardBackward(
      images.data(),
      [&](const float*, float* derivative) {
        for (size_t i = 0; i < rows * 4; ++i) derivative[i] = static_cast<float>(i % 3);
      },
      passes.logits.data(), passes.gradient.data());
  EXPECT_TRUE(status.ok()) << status;
  return passes;
}

TEST(TorchClassifier, ModelsThatWriteIntoTheirInputGetACopy) {
  const auto reference = LoadZoo("linear");
  ASSERT_TRUE(reference.ok());
  // Pixels above 1, as noise makes them: one model writes only then.
  std::vector<float> images(4 * kZooShape.size());
  for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i % 31) / 25;
  const std::vector<float> before = images;
  for (const char* name : {"in_place", "in_place_when_bright"}) {
    const auto loaded = LoadZoo(name);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_TRUE((*loaded)->validation().differentiable());
    const Passes passes = PassesOf(**loaded, images);
    EXPECT_EQ(images, before) << name << " wrote into the images of its caller";
    EXPECT_EQ(passes.forward, passes.logits) << name;
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
    ASSERT_EQ((*loaded)->batch_size(), 8);
    EXPECT_EQ((*loaded)->validation().numerics().batch_size(), 8);
    const Passes found = PassesOf(**loaded, images);
    EXPECT_EQ(found.forward, wanted.forward);
    EXPECT_EQ(found.gradient, wanted.gradient);
    EXPECT_EQ(ReasonOf((*loaded)->HalveBatch()), Reason::kOutOfMemory);
  }
  const auto single = LoadZoo("batch_of_1");
  ASSERT_TRUE(single.ok()) << single.status();
  EXPECT_EQ((*single)->batch_size(), 1);
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
  std::vector<float> images(4 * kZooShape.size(), 0.25F), a(16), b(16);
  ASSERT_TRUE((*eval)->Forward(images.data(), a.data()).ok());
  ASSERT_TRUE((*train)->Forward(images.data(), b.data()).ok());
  EXPECT_EQ(a, b);
}

// The weights are written beside the model as text.
TEST(TorchClassifier, LogitsAndGradientsOfALinearModelAreItsWeights) {
  const auto loaded = LoadZoo("linear");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  TorchClassifier& model = **loaded;
  ASSERT_EQ(model.num_classes(), 4);
  const size_t size = kZooShape.size();
  std::vector<float> images(4 * size, 0.0F), base(16), logits(16), gradient(4 * size);
  ASSERT_TRUE(model.Forward(images.data(), base.data()).ok());
  // A unit image shows one weight in the logits; the gradient must show the same.
  images[10] = 1;
  ASSERT_TRUE(
      model
          .ForwardBackward(
              images.data(),
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
  std::vector<float> alone(4 * size, 0.0F), crowd(4 * size), a(16), b(16);
  for (size_t i = 0; i < size; ++i) alone[i] = static_cast<float>(i % 17) / 17;
  for (size_t i = 0; i < 4 * size; ++i) crowd[i] = static_cast<float>(i % 29) / 29;
  std::copy_n(alone.begin(), size, crowd.begin() + static_cast<int64_t>(2 * size));
  ASSERT_TRUE((*loaded)->Forward(alone.data(), a.data()).ok());
  ASSERT_TRUE((*loaded)->Forward(crowd.data(), b.data()).ok());
  for (size_t k = 0; k < 4; ++k) EXPECT_EQ(a[k], b[8 + k]);
}

TEST(TorchClassifier, ErrorsInMidWorkNameTheModelsOwnText) {
  const auto loaded = LoadZoo("raises_later");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  std::vector<float> images(4 * kZooShape.size(), 0.95F), logits(16);
  const absl::Status status = (*loaded)->Forward(images.data(), logits.data());
  EXPECT_EQ(ReasonOf(status), Reason::kModelFailed);
  EXPECT_THAT(status.message(), HasSubstr("first pixel too bright"));
}

TEST(TorchClassifier, OutOfMemoryHalvesTheBatchDownToOne) {
  const auto loaded = LoadZoo("hungry_above_4", kZooShape, 8);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  std::vector<float> images(8 * kZooShape.size(), 0.5F), logits(32);
  const std::string before = (*loaded)->validation().numerics().digest();
  EXPECT_EQ(ReasonOf((*loaded)->Forward(images.data(), logits.data())), Reason::kOutOfMemory);
  ASSERT_TRUE((*loaded)->HalveBatch().ok());
  EXPECT_EQ((*loaded)->batch_size(), 4);
  EXPECT_NE((*loaded)->validation().numerics().digest(), before);
  EXPECT_TRUE((*loaded)->Forward(images.data(), logits.data()).ok());
  ASSERT_TRUE((*loaded)->HalveBatch().ok());
  ASSERT_TRUE((*loaded)->HalveBatch().ok());
  EXPECT_EQ(ReasonOf((*loaded)->HalveBatch()), Reason::kOutOfMemory);
}

TEST(TorchClassifier, ChoosesBatchAndLayoutByItselfAndKeepsWhatItIsTold) {
  LoadOptions options;
  options.model_path = absl::StrCat(ASSAY_BINARY_DIR, "/tests/zoo/tiny_cnn.pt");
  options.shape = kZooShape;
  const auto chosen = TorchClassifier::Load(options);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_GE((*chosen)->batch_size(), 1);
  const auto& numerics = (*chosen)->validation().numerics();
  options.batch_size = numerics.batch_size();
  options.memory_format = numerics.memory_format();
  const auto again = TorchClassifier::Load(options);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->validation().numerics().digest(), numerics.digest());
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

}  // namespace
}  // namespace assay::engine
