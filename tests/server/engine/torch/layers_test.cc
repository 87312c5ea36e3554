// Layers of models: which there are, and that what they answer is what the model computes with.
#include "server/engine/torch/layers.h"

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/layer_names.h"
#include "core/models/model_file.h"
#include "gmock/gmock.h"
#include "server/engine/import/read_model.h"
#include "server/engine/torch/torch_classifier.h"
#include "server/engine/validation/model_validation.h"
#include "tests/test_data.h"

namespace assay::engine {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Shape kZooShape{3, 8, 8};

std::string Zoo(const std::string& name) {
  return absl::StrCat(ASSAY_BINARY_DIR, "/tests/zoo/", name, ".pt");
}

std::unique_ptr<TorchClassifier> Load(const std::string& path, Shape shape = kZooShape,
                                      int batch_size = 0, bool details = false) {
  LoadOptions options;
  options.model_path = path;
  options.shape = shape;
  options.batch_size = batch_size;
  options.details = details;
  auto loaded = TorchClassifier::Load(options);
  EXPECT_TRUE(loaded.ok()) << path << ": " << loaded.status();
  return loaded.ok() ? *std::move(loaded) : nullptr;
}

// Answers of a layer to the images, in batches of `batch`.
std::vector<float> Answers(Classifier& classifier, const std::vector<float>& images, int batch) {
  const size_t pixels = classifier.shape().size();
  const auto width = static_cast<size_t>(classifier.num_classes());
  const size_t count = images.size() / pixels;
  std::vector<float> answers;
  for (size_t first = 0; first < count; first += static_cast<size_t>(batch)) {
    const size_t taken = std::min(static_cast<size_t>(batch), count - first);
    const auto rows =
        static_cast<size_t>(classifier.forward_sizes().Holding(static_cast<int>(taken)));
    std::vector<float> padded(rows * pixels, 0.25F), results(rows * width);
    std::copy_n(&images[first * pixels], taken * pixels, padded.begin());
    const absl::Status status =
        classifier.Forward(padded.data(), static_cast<int>(taken), results.data());
    EXPECT_TRUE(status.ok()) << status;
    answers.insert(answers.end(), results.begin(),
                   results.begin() + static_cast<std::ptrdiff_t>(taken * width));
  }
  return answers;
}

at::Tensor Matrix(std::vector<float>& values, int64_t width) {
  return at::from_blob(values.data(), {static_cast<int64_t>(values.size()) / width, width});
}

// The last matrix of the model's parameters with a row or a column for each class, N x K, and the
// bias beside it.
struct LastLinear {
  at::Tensor weight, bias;
};
LastLinear LastLinearOf(const std::string& path, const Shape& shape, int64_t classes,
                        int64_t width) {
  LastLinear last;
  const auto model = ReadModel(path, shape, at::Device(at::kCPU));
  EXPECT_TRUE(model.ok()) << model.status();
  if (!model.ok()) return last;
  for (const auto& parameter : model->module.named_parameters()) {
    const at::Tensor& value = parameter.value;
    if (value.dim() == 2 && value.size(0) == classes && value.size(1) == width) {
      last.weight = value.t();
    } else if (value.dim() == 2 && value.size(1) == classes && value.size(0) == width) {
      last.weight = value;
    } else if (value.dim() == 1 && value.size(0) == classes) {
      last.bias = value;
    }
  }
  return last;
}

// That penultimate x weights + bias are the logits; penultimate of `size` numbers.
void ExpectLogitsFromPenultimate(const std::string& path, const Shape& shape, int size) {
  SCOPED_TRACE(path);
  const auto model = Load(path, shape);
  ASSERT_NE(model, nullptr);
  const auto layer = model->Layer(kPenultimate);
  ASSERT_TRUE(layer.ok()) << layer.status();
  EXPECT_EQ((*layer)->num_classes(), size);
  const std::vector<float> images = ProbeImages(shape, 7);
  std::vector<float> features = Answers(**layer, images, 32);
  std::vector<float> logits = Answers(*model, images, 32);
  // In whatever company, the same bits.
  EXPECT_EQ(Answers(**layer, images, 1), features);
  EXPECT_EQ(Answers(**layer, images, 3), features);
  const LastLinear last = LastLinearOf(path, shape, model->num_classes(), size);
  ASSERT_TRUE(last.weight.defined() && last.bias.defined());
  const at::Tensor computed =
      Matrix(features, size).to(at::kDouble).matmul(last.weight.to(at::kDouble)) +
      last.bias.to(at::kDouble);
  const at::Tensor expected = Matrix(logits, model->num_classes()).to(at::kDouble);
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  EXPECT_LT((computed - expected).abs().max().item<double>() / scale, 1e-5);
}

TEST(Layers, PenultimateTimesTheLastWeightsAreTheLogits) {
  ExpectLogitsFromPenultimate(Zoo("linear"), kZooShape, 192);
  ExpectLogitsFromPenultimate(Zoo("batch_of_8"), kZooShape, 192);
  ExpectLogitsFromPenultimate(Zoo("in_place"), kZooShape, 192);
}

TEST(Layers, TheListHasNamesAndSizes) {
  const auto model = Load(Zoo("tiny_cnn"), kZooShape, 0, /*details=*/true);
  ASSERT_NE(model, nullptr);
  std::vector<std::string> names;
  for (const auto& layer : model->validation().details().layers()) {
    names.push_back(layer.name());
    const auto answers = model->Layer(layer.name());
    ASSERT_TRUE(answers.ok()) << answers.status();
    int64_t size = 1;
    for (const int64_t each : layer.sizes()) size *= each;
    EXPECT_EQ((*answers)->num_classes(), size) << layer.name();
  }
  EXPECT_THAT(names, Contains("penultimate"));
  EXPECT_THAT(names, Contains("features"));
  EXPECT_THAT(names, Contains("fc"));
  EXPECT_EQ(names.front(), "penultimate");
  // fc are the logits.
  std::vector<float> images = ProbeImages(kZooShape, 5);
  std::vector<float> logits = Answers(*model, images, 8);
  std::vector<float> fc = Answers(**model->Layer("fc"), images, 8);
  EXPECT_LT((Matrix(fc, 4) - Matrix(logits, 4)).abs().max().item<float>(), 1e-5F);
}

TEST(Layers, ALayerThatIsNotThereIsRefusedWithThoseThatAre) {
  const auto model = Load(Zoo("tiny_cnn"));
  ASSERT_NE(model, nullptr);
  const auto layer = model->Layer("feature");
  EXPECT_EQ(ReasonOf(layer.status()), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(layer.status().message()),
              AllOf(HasSubstr("no layer 'feature'"), HasSubstr("did you mean 'features'"),
                    HasSubstr("penultimate"), HasSubstr("fc")));
}

TEST(Layers, AModelWhoseLogitsAreOfNoLayerHasNoPenultimate) {
  const auto model = Load(Zoo("constant"));
  ASSERT_NE(model, nullptr);
  const auto layer = model->Layer(kPenultimate);
  EXPECT_EQ(ReasonOf(layer.status()), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(layer.status().message()),
              HasSubstr("no operator with weights is between image and logits"));
}

// A model of these submodules, written to a file.
class MadeLayersTest : public ::testing::Test {
 protected:
  ~MadeLayersTest() override { std::filesystem::remove(path_); }

  static torch::jit::Module NewModule(const std::string& name) {
    torch::jit::Module module("__torch__.assay.layers." + name);
    module.register_attribute("training", c10::BoolType::get(), false);
    return module;
  }

  // `forward` may use: self.conv (3 to 6 channels), self.relu (in place), self.pair (returns two
  // tensors), self.tokens (puts the batch second), self.fc (384 to 4), self.other (384 to 4),
  // self.count (of integers), self.big (more numbers than can be kept).
  std::string Save(const std::string& forward) {
    torch::manual_seed(5);
    torch::jit::Module module = NewModule("Net");
    torch::jit::Module conv = NewModule("Conv");
    conv.register_parameter("weight", at::randn({6, 3, 3, 3}) * 0.3, false);
    conv.define(
        "def forward(self, x):\n  return torch.conv2d(x, self.weight, None, [1, 1], [1, 1])\n");
    module.register_module("conv", conv);
    const auto add = [&](const std::string& name, const std::string& body) {
      torch::jit::Module part = NewModule("Part_" + name);
      part.define("def forward(self, x):\n" + body + "\n");
      module.register_module(name, part);
    };
    add("relu", "  return torch.relu_(x)");
    add("pair", "  return x, x + 1");
    add("tokens", "  return torch.transpose(torch.flatten(x, 2), 0, 1)");
    add("count", "  return torch.gt(torch.flatten(x, 1), 0.5).long()");
    add("big", "  return torch.repeat_interleave(torch.flatten(x, 1), 1000, 1)");
    for (const char* name : {"fc", "other"}) {
      torch::jit::Module linear = NewModule(absl::StrCat("Linear_", name));
      linear.register_parameter("weight", at::randn({4, 384}) * 0.1, false);
      linear.register_parameter("bias", at::randn({4}), false);
      linear.define("def forward(self, x):\n  return torch.linear(x, self.weight, self.bias)\n");
      module.register_module(name, linear);
    }
    module.define("def forward(self, x: Tensor) -> Tensor:\n" + forward);
    module.save(path_);
    return path_;
  }

  absl::Status Refusal(const std::string& forward, const std::string& layer) {
    const auto model = Load(Save(forward));
    if (model == nullptr) return absl::OkStatus();
    const auto found = model->Layer(layer);
    EXPECT_EQ(ReasonOf(found.status()), Reason::kInvalidArgument) << found.status();
    return found.status();
  }

  const std::string path_ =
      (std::filesystem::temp_directory_path() / absl::StrCat("assay-layers-", getpid(), ".pt"))
          .string();
};

TEST_F(MadeLayersTest, WhatIsChangedInPlaceLaterWasKeptBefore) {
  const auto model =
      Load(Save("  a = self.conv.forward(x)\n  b = self.relu.forward(a)\n  return "
                "self.fc.forward(torch.flatten(b, 1))\n"));
  ASSERT_NE(model, nullptr);
  const std::vector<float> images = ProbeImages(kZooShape, 5);
  const std::vector<float> conv = Answers(**model->Layer("conv"), images, 8);
  const std::vector<float> relu = Answers(**model->Layer("relu"), images, 8);
  const std::vector<float> last = Answers(**model->Layer(kPenultimate), images, 8);
  ASSERT_EQ(conv.size(), relu.size());
  size_t negative = 0;
  for (size_t i = 0; i < conv.size(); ++i) {
    EXPECT_EQ(relu[i], std::max(conv[i], 0.0F));
    negative += conv[i] < 0 ? 1 : 0;
  }
  EXPECT_GT(negative, 100u);
  EXPECT_EQ(last, relu);
}

TEST_F(MadeLayersTest, WhatCannotBeKeptIsRefusedAndSaysWhy) {
  const std::string head = "  return self.fc.forward(torch.flatten(a, 1))\n";
  EXPECT_THAT(
      std::string(
          Refusal("  a = self.relu.forward(self.relu.forward(self.conv.forward(x)))\n" + head,
                  "relu")
              .message()),
      HasSubstr("is called 2 times in a pass"));
  EXPECT_THAT(
      std::string(
          Refusal("  a, b = self.pair.forward(self.conv.forward(x))\n" + head, "pair").message()),
      HasSubstr("does not return one tensor"));
  EXPECT_THAT(
      std::string(Refusal("  a = self.conv.forward(x)\n  if bool(torch.gt(a.max(), 100.0)):\n"
                          "    a = self.relu.forward(a)\n" +
                              head,
                          "relu")
                      .message()),
      HasSubstr("within a branch or a loop"));
  EXPECT_THAT(
      std::string(
          Refusal("  a = self.conv.forward(x)\n  a = a + self.tokens.forward(a).sum() * 0\n" + head,
                  "tokens")
              .message()),
      HasSubstr("not some for each image in turn"));
  EXPECT_THAT(
      std::string(
          Refusal("  a = self.conv.forward(x)\n  a = a + self.count.forward(a).sum() * 0\n" + head,
                  "count")
              .message()),
      HasSubstr("floating-point"));
  EXPECT_THAT(
      std::string(
          Refusal("  a = self.conv.forward(x)\n  a = a + self.big.forward(a).sum() * 0\n" + head,
                  "big")
              .message()),
      HasSubstr("returns 384000 numbers for an image; 1 to 65536 can be kept"));
}

TEST_F(MadeLayersTest, ALastLayerThatNotEverythingPassesIsNone) {
  const std::string start = "  a = torch.flatten(self.conv.forward(x), 1)\n";
  EXPECT_THAT(std::string(Refusal(start + "  return self.fc.forward(a) + self.other.forward(a)\n",
                                  kPenultimate)
                              .message()),
              HasSubstr("not everything between the image and the logits passes"));
  EXPECT_THAT(
      std::string(Refusal(start + "  b = self.fc.forward(a)\n"
                                  "  return torch.matmul(b, torch.matmul(b.t(), b)) * 0.1\n",
                          kPenultimate)
                      .message()),
      HasSubstr("by something else that it computed of the image"));
  EXPECT_THAT(
      std::string(
          Refusal(start + "  return torch.cdist(a, self.fc.weight)\n", kPenultimate).message()),
      HasSubstr("aten::cdist, which is no linear layer"));
}

TEST_F(MadeLayersTest, WhatFollowsTheLastLayerDoesNotMatter) {
  const std::string start = "  a = torch.flatten(self.conv.forward(x), 1)\n";
  std::vector<float> expected;
  for (const char* end :
       {"  return self.fc.forward(a)\n", "  return torch.log_softmax(self.fc.forward(a), 1)\n",
        "  z = self.fc.forward(a)\n  return (z - z.mean(1, keepdim=True)) / 3.0\n",
        "  return torch.matmul(a, self.fc.weight.t()) + self.fc.bias\n",
        "  return torch.addmm(self.fc.bias, a, self.fc.weight.t())\n",
        "  return torch.flatten(torch.conv2d(a.reshape([-1, 384, 1, 1]), "
        "self.fc.weight.reshape([4, 384, 1, 1])), 1)\n"}) {
    SCOPED_TRACE(end);
    const auto model = Load(Save(start + end));
    ASSERT_NE(model, nullptr);
    const auto layer = model->Layer(kPenultimate);
    ASSERT_TRUE(layer.ok()) << layer.status();
    EXPECT_EQ((*layer)->num_classes(), 384);
    const std::vector<float> features = Answers(**layer, ProbeImages(kZooShape, 5), 8);
    if (expected.empty()) expected = features;
    EXPECT_THAT(features, ::testing::Pointwise(::testing::FloatNear(1e-5F), expected));
  }
}

TEST_F(MadeLayersTest, AModelWithAnInterfaceHasTheNamesOfItsFile) {
  Save(
      "  a = self.conv.forward(x)\n  return torch.softmax(self.fc.forward(torch.flatten(a, 1)), "
      "1)\n");
  const auto plain = Load(path_, kZooShape, 0, /*details=*/true);
  v1::ModelInterface interface;
  interface.set_output(v1::ModelInterface::PROBABILITIES);
  std::ofstream(path_, std::ios::binary | std::ios::app) << InterfaceTrailer(interface);
  const auto model = Load(path_, kZooShape, 0, /*details=*/true);
  ASSERT_NE(model, nullptr);
  const auto names = [](const TorchClassifier& of) {
    std::vector<std::string> all;
    for (const auto& layer : of.validation().details().layers()) all.push_back(layer.name());
    return all;
  };
  EXPECT_THAT(names(*model), ElementsAre("penultimate", "conv", "fc"));
  EXPECT_EQ(names(*model), names(*plain));
  const std::vector<float> images = ProbeImages(kZooShape, 5);
  EXPECT_THAT(Answers(**model->Layer("penultimate"), images, 8),
              ::testing::Pointwise(::testing::FloatNear(1e-5F),
                                   Answers(**plain->Layer("penultimate"), images, 8)));
}

TEST(Layers, RealModelsInAllFormats) {
  constexpr Shape kCifar{3, 32, 32}, kMnist{1, 28, 28};
  ASSAY_TEST_DATA_OR_SKIP(models, "models");
  ASSAY_TEST_DATA_OR_SKIP(models2x, "models2x");
  const auto file = [&](const char* name) { return absl::StrCat(models, "/", name, ".pt"); };
  const auto penultimate = [](const std::string& path, const Shape& shape) {
    const auto model = Load(path, shape);
    if (model == nullptr) return 0;
    const auto layer = model->Layer(kPenultimate);
    EXPECT_TRUE(layer.ok()) << path << ": " << layer.status();
    return layer.ok() ? (*layer)->num_classes() : 0;
  };
  for (const char* name : {"cifar10_resnet20", "cifar10_cnn_a_adv", "cifar10_vit_pgd_2_3_16",
                           "cifar10_sri_resnet_b_adv", "cifar10_wong_small_l2_36px"}) {
    ExpectLogitsFromPenultimate(file(name), kCifar, penultimate(file(name), kCifar));
  }
  for (const char* name : {"mnist_cnn_a_adv", "mnist_wong_small_0_3"}) {
    ExpectLogitsFromPenultimate(file(name), kMnist, penultimate(file(name), kMnist));
  }
  // The same network, the same features.
  for (const char* name : {"vit", "sdpa", "convnext", "efficientnet", "resnet"}) {
    std::vector<float> expected;
    for (const char* kind : {"_trace.pt", ".pt2", ".onnx"}) {
      const std::string path = absl::StrCat(models2x, "/torch-2.6/", name, kind);
      ExpectLogitsFromPenultimate(path, kCifar, penultimate(path, kCifar));
      const auto model = Load(path, kCifar);
      const std::vector<float> features =
          Answers(**model->Layer(kPenultimate), ProbeImages(kCifar, 4), 4);
      if (expected.empty()) expected = features;
      EXPECT_THAT(features, ::testing::Pointwise(::testing::FloatNear(1e-4F), expected)) << path;
    }
  }
}

}  // namespace
}  // namespace assay::engine
