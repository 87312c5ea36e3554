// Real ONNX files against what PyTorch computed of them, and against their TorchScript twins.
#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/engine/import/onnx/onnx.h"
#include "server/engine/torch/torch_network.h"
#include "tests/server/engine/import/expected.h"
#include "tests/test_data.h"

namespace assay::engine {
namespace {

double Difference(const at::Tensor& left, const at::Tensor& right) {
  return (left - right).abs().max().item<double>();
}

torch::jit::Module Frozen(const torch::jit::Module& module) {
  torch::jit::GraphOptimizerEnabledGuard optimizer(true);
  return torch::jit::freeze(module);
}

// As the engine runs modules: LibTorch 2's optimizer compiles for minutes.
at::Tensor Forward(torch::jit::Module& module, const at::Tensor& images) {
  const torch::jit::GraphOptimizerEnabledGuard no_optimizer(false);
  const at::NoGradGuard no_gradients;
  return module.forward({images}).toTensor();
}

// By the images, of the sum over r, k of ((k + r) mod 3 - 1) * logits[r, k].
at::Tensor Gradient(torch::jit::Module& module, const at::Tensor& images) {
  const torch::jit::GraphOptimizerEnabledGuard no_optimizer(false);
  const at::Tensor input = images.clone().requires_grad_(true);
  const at::Tensor logits = module.forward({input}).toTensor();
  return torch::autograd::grad({logits}, {input},
                               {GradientWeights(logits.size(0), logits.size(1))})[0];
}

// The first `count` images of CIFAR-10's test set in [0, 1], and their labels.
struct Cifar {
  at::Tensor images, labels;
};
Cifar ReadCifar(const std::string& path, int64_t count) {
  std::vector<char> bytes(static_cast<size_t>(count) * 3073);
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(file) << path;
  const at::Tensor all = at::from_blob(bytes.data(), {count, 3073}, at::kByte).clone();
  return {all.slice(1, 1).to(at::kFloat).div(255).view({count, 3, 32, 32}),
          all.select(1, 0).to(at::kLong)};
}

at::Tensor Normalize(const at::Tensor& images, const std::vector<float>& mean,
                     const std::vector<float>& std) {
  return (images - at::tensor(mean).view({1, 3, 1, 1})) / at::tensor(std).view({1, 3, 1, 1});
}

class OnnxOfPyTorch : public ::testing::TestWithParam<const char*> {};

TEST_P(OnnxOfPyTorch, HasItsLogitsAndGradientsInBatchesOfAnySize) {
  const std::string name = GetParam();
  ASSAY_TEST_DATA_OR_SKIP(path, "models2x/torch-2.6/" + name + ".onnx");
  ASSAY_TEST_DATA_OR_SKIP(expected_path, "models2x/torch-2.6/expected.npz");
  auto imported = ImportOnnx(path);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->producer, "pytorch 2.6.0");
  EXPECT_EQ(imported->batch, OnnxBatch::kFree) << imported->fixed_because;
  const at::Tensor images = ReadExpected(expected_path, "input"),
                   logits = ReadExpected(expected_path, name + "_logits");
  torch::jit::Module frozen = Frozen(imported->module);
  for (const int64_t batch : {6, 4, 1}) {
    const at::Tensor some = images.slice(0, 0, batch);
    EXPECT_LT(Difference(Forward(imported->module, some), logits.slice(0, 0, batch)), 1e-5);
    EXPECT_LT(Difference(Forward(frozen, some), logits.slice(0, 0, batch)), 1e-5);
    const at::Tensor gradient = ReadExpected(expected_path, name + "_gradient").slice(0, 0, batch);
    const double difference = Difference(Gradient(frozen, some), gradient);
    EXPECT_LT(difference, 1e-5);
    std::printf("%s, batch of %ld: logits differ by %.3g, gradients by %.3g of %.3g\n",
                name.c_str(), static_cast<long>(batch),
                Difference(Forward(frozen, some), logits.slice(0, 0, batch)), difference,
                gradient.abs().max().item<double>());
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, OnnxOfPyTorch,
                         ::testing::Values("resnet", "convnext", "efficientnet", "vit", "sdpa"),
                         [](const auto& test) { return std::string(test.param); });

struct Twin {
  const char* onnx;
  const char* torch_script;
  OnnxBatch batch;
};
class OnnxTwins : public ::testing::TestWithParam<Twin> {};

TEST_P(OnnxTwins, HaveTheLogitsPredictionsAndGradientsOfTheTorchScriptFile) {
  const Twin& twin = GetParam();
  ASSAY_TEST_DATA_OR_SKIP(path, std::string("models2x/onnx-real/") + twin.onnx);
  ASSAY_TEST_DATA_OR_SKIP(twin_path, std::string("models/") + twin.torch_script);
  ASSAY_TEST_DATA_OR_SKIP(images_path, "cifar10_test_1000.bin");
  const std::vector<float> mean = {0.4914f, 0.4822f, 0.4465f}, std = {0.2023f, 0.1994f, 0.2010f};
  auto imported = ImportOnnx(path);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->batch, twin.batch);
  torch::jit::Module frozen = Frozen(imported->module), script = torch::jit::load(twin_path);
  script.eval();
  const at::Tensor images = ReadCifar(images_path, 100).images;
  const at::Tensor expected = Forward(script, images);
  const at::Tensor logits = Forward(frozen, Normalize(images, mean, std));
  EXPECT_LT(Difference(logits, expected), 2e-5 * expected.abs().max().item<double>());
  EXPECT_TRUE(at::equal(logits.argmax(1), expected.argmax(1)));
  // The normalisation is outside of the ONNX file.
  const at::Tensor some = images.slice(0, 0, 10);
  const at::Tensor outer = Gradient(script, some);
  const at::Tensor inner =
      Gradient(frozen, Normalize(some, mean, std)) / at::tensor(std).view({1, 3, 1, 1});
  EXPECT_LT(Difference(inner, outer), 1e-4 * outer.abs().max().item<double>());
  std::printf("%s: logits differ by %.3g of %.3g, gradients by %.3g of %.3g\n", twin.onnx,
              Difference(logits, expected), expected.abs().max().item<double>(),
              Difference(inner, outer), outer.abs().max().item<double>());
}

INSTANTIATE_TEST_SUITE_P(
    Files, OnnxTwins,
    ::testing::Values(Twin{"sri_resnet_b.onnx", "cifar10_sri_resnet_b_adv.pt", OnnxBatch::kFreed},
                      Twin{"vit_pgd_2_3_16.onnx", "cifar10_vit_pgd_2_3_16.pt", OnnxBatch::kFree}),
    [](const auto& test) { return std::string(test.param.onnx, 3); });

TEST(OnnxOval, IsAsAccurateAsAClassifierOfCifar) {
  ASSAY_TEST_DATA_OR_SKIP(path, "models2x/onnx-real/oval_cifar_base_kw.onnx");
  ASSAY_TEST_DATA_OR_SKIP(images_path, "cifar10_test_1000.bin");
  auto imported = ImportOnnx(path);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->batch, OnnxBatch::kFreed);
  torch::jit::Module frozen = Frozen(imported->module);
  const Cifar cifar = ReadCifar(images_path, 1000);
  const at::Tensor logits =
      Forward(frozen, Normalize(cifar.images, {0.485f, 0.456f, 0.406f}, {0.225f, 0.225f, 0.225f}));
  const int64_t right = logits.argmax(1).eq(cifar.labels).sum().item<int64_t>();
  std::printf("oval_cifar_base_kw.onnx: %ld of 1000 right\n", static_cast<long>(right));
  // As it was when the importer agreed with ONNX Runtime 1.32.0 to 1e-6 on three other images.
  EXPECT_EQ(right, 611);
}

// Bounds read the operators of the frozen module.
TEST(OnnxBounds, ReadTheOperatorsOfImportedModules) {
  for (const char* file : {"models2x/torch-2.6/resnet.onnx", "models2x/onnx-real/sri_resnet_b.onnx",
                           "models2x/onnx-real/oval_cifar_base_kw.onnx"}) {
    SCOPED_TRACE(file);
    ASSAY_TEST_DATA_OR_SKIP(path, file);
    ASSAY_TEST_DATA_OR_SKIP(images_path, "cifar10_test_1000.bin");
    auto imported = ImportOnnx(path);
    ASSERT_TRUE(imported.ok()) << imported.status();
    const auto network = bounds::ReadNetwork(imported->module, imported->shape);
    ASSERT_TRUE(network.ok()) << network.status();
    const at::Tensor image = ReadCifar(images_path, 1).images;
    const at::Tensor logits = Forward(imported->module, image);
    const at::Tensor doubles = image.to(at::kDouble).contiguous();
    const std::vector<double> ours = (*network)->Evaluate(doubles.data_ptr<double>()).back();
    ASSERT_EQ(static_cast<int64_t>(ours.size()), logits.numel());
    for (size_t k = 0; k < ours.size(); ++k) {
      EXPECT_NEAR(ours[k], logits.view({-1})[static_cast<int64_t>(k)].item<double>(), 1e-4);
    }
  }
}

}  // namespace
}  // namespace assay::engine
