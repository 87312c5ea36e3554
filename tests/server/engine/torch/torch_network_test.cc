// TorchScript modules read as networks of bounds, against the modules themselves.
#include "server/engine/torch/torch_network.h"

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "server/engine/torch/torch_classifier.h"

namespace assay::engine::bounds {
namespace {

using ::testing::HasSubstr;

constexpr Shape kShape{3, 8, 8};

// A module with weights for every layer that the tests write: convolutions `w1` (3 to 6 channels,
// 3 x 3), `w2` (6 to 6, 3 x 3), `wg` (6 to 6 in two groups, 3 x 3), batch norm `g`, `b`, `m`, `v`
// of 6 channels, `mean` and `std` of 3.
torch::jit::Module MakeModule(const std::string& forward) {
  torch::manual_seed(3);
  torch::jit::Module module("__torch__.assay.Reading");
  module.register_attribute("training", c10::BoolType::get(), false);
  const auto buffer = [&](const char* name, const at::Tensor& value) {
    module.register_buffer(name, value);
  };
  buffer("w1", at::randn({6, 3, 3, 3}) * 0.3);
  buffer("b1", at::randn({6}) * 0.3);
  buffer("w2", at::randn({6, 6, 3, 3}) * 0.2);
  buffer("wg", at::randn({6, 3, 3, 3}) * 0.3);
  buffer("g", at::randn({6}));
  buffer("b", at::randn({6}));
  buffer("m", at::randn({6}) * 0.2);
  buffer("v", at::rand({6}) + 0.3);
  buffer("mean", at::rand({3, 1, 1}));
  buffer("std", at::rand({3, 1, 1}) + 0.2);
  buffer("w192", at::randn({4, 192}) * 0.1);
  buffer("w384", at::randn({4, 384}) * 0.1);
  buffer("w96", at::randn({4, 96}) * 0.1);
  buffer("w6", at::randn({4, 6}));
  buffer("b4", at::randn({4}));
  module.define("def forward(self, x: Tensor) -> Tensor:\n" + forward);
  return module;
}

absl::StatusOr<std::shared_ptr<const Network>> ReadForward(const std::string& forward) {
  return ReadNetwork(MakeModule(forward), kShape);
}

void ExpectSameLogits(const std::string& forward) {
  SCOPED_TRACE(forward);
  torch::jit::Module module = MakeModule(forward);
  const auto network = ReadNetwork(module, kShape);
  ASSERT_TRUE(network.ok()) << network.status();
  for (int trial = 0; trial < 3; ++trial) {
    const at::Tensor image = at::rand({1, 3, 8, 8});
    // In-place operators write to their argument.
    const at::Tensor logits =
        module.forward({image.clone()}).toTensor().contiguous().to(at::kDouble);
    const at::Tensor doubles = image.to(at::kDouble).contiguous();
    const std::vector<double> ours = (*network)->Evaluate(doubles.data_ptr<double>()).back();
    ASSERT_EQ(static_cast<int64_t>(ours.size()), logits.numel());
    for (size_t k = 0; k < ours.size(); ++k) {
      EXPECT_NEAR(ours[k], logits.data_ptr<double>()[k], 1e-4) << "logit " << k;
    }
  }
}

TEST(TorchNetwork, ReadsEveryWayToWriteTheSupportedLayers) {
  for (const char* forward : {
           // Normalisation, strides, padding, dilation, groups, batch norm.
           "    y = torch.conv2d((x - self.mean) / self.std, self.w1, self.b1, [2, 2], [1, 1])\n"
           "    y = torch.relu(torch.batch_norm(y, self.g, self.b, self.m, self.v, False, 0.1, "
           "1e-5, False))\n"
           "    y = torch.conv2d(y, self.wg, None, [1, 1], [2, 2], [2, 2], 2)\n"
           "    return torch.addmm(self.b4, y.flatten(1), self.w96.t())\n",
           // Padding by name, and what tracing makes of a convolution.
           "    y = torch.conv2d(x, self.w1, self.b1, [1, 1], \"same\")\n"
           "    y = torch._convolution(y, self.w2, None, [2, 2], [1, 1], [1, 1], False, [0, 0], 1, "
           "False, False, True, True)\n"
           "    return torch.matmul(y.view(y.size(0), -1), self.w96.t()) + self.b4\n",
           // A residual block whose operators write to their arguments.
           "    y = torch.relu_(torch.conv2d(x, self.w1, self.b1, [1, 1], [1, 1]))\n"
           "    z = torch.conv2d(y, self.w2, None, [1, 1], [1, 1])\n"
           "    z += y\n"
           "    z = torch.relu_(z)\n"
           "    return torch.linear(z.reshape(-1, 384), self.w384, self.b4)\n",
           // The same tensor before and after an operator that writes to it.
           "    y = torch.conv2d(x, self.w1, self.b1, [1, 1], [1, 1])\n"
           "    z = torch.sigmoid(y)\n"
           "    torch.relu_(y)\n"
           "    return torch.linear((y - 0.5 * z).flatten(1), self.w384, self.b4)\n",
           // A copy is not changed by what changes the original.
           "    y = torch.conv2d(x, self.w1, self.b1, [1, 1], [1, 1])\n"
           "    z = y.clone()\n"
           "    torch.relu_(y.view(1, 6, 64))\n"
           "    return torch.linear((y - z).flatten(1), self.w384, self.b4)\n",
           // Poolings.
           "    y = torch.conv2d(x, self.w1, self.b1, [1, 1], [1, 1])\n"
           "    y = torch.max_pool2d(y, [3, 3], [2, 2], [1, 1], [1, 1], True)\n"
           "    y = torch.avg_pool2d(y, [2, 2], [1, 1], [1, 1], False, False)\n"
           "    y = torch.avg_pool2d(y, [3, 3], [2, 2], [1, 1], True, True)\n"
           "    y = torch.adaptive_avg_pool2d(y, [1, 1]).squeeze(-1).squeeze(-1)\n"
           "    return torch.linear(y, self.w6, self.b4)\n",
           "    y = torch.mean(torch.conv2d(x, self.w1, self.b1), [2, 3])\n"
           "    return 1.5 - torch.linear(y, self.w6, self.b4)\n",
           // Activations.
           "    y = torch.tanh(torch.conv2d(x, self.w1, self.b1, [1, 1], [1, 1]))\n"
           "    y = torch.leaky_relu(y, 0.1) * 3.0\n"
           "    y = torch.clamp(torch.neg(y), -0.7, 1.1)\n"
           "    y = torch.hardtanh(y * self.g.view(1, 6, 1, 1), -0.5, 0.5)\n"
           "    return torch.linear(torch.clamp(y, min=-0.2).flatten(1), self.w384, self.b4)\n",
           // What only moves elements: a shortcut that halves the image and adds channels of zeros.
           "    y = torch.relu(torch.conv2d(x, self.w1, self.b1, [2, 2], [1, 1]))\n"
           "    s = torch.constant_pad_nd(x[:, :, ::2, ::2], [0, 0, 0, 0, 1, 2])\n"
           "    y = (y + s).permute(0, 2, 3, 1).contiguous()\n"
           "    return torch.linear(torch.dropout(y, 0.5, False).flatten(1), self.w96, self.b4)\n",
           // Branches that shapes decide.
           "    if x.size(2) == 8:\n"
           "        y = x.flatten(1)\n"
           "    else:\n"
           "        y = torch.softmax(x.flatten(1), 1)\n"
           "    return torch.linear(y, self.w192, None)\n",
       }) {
    ExpectSameLogits(forward);
  }
}

TEST(TorchNetwork, ReadsAModelThatWasFrozenBeforeItWasSaved) {
  torch::jit::Module module = MakeModule(
      "    y = torch.relu(torch.conv2d(x, self.w1, self.b1, [2, 2], [1, 1]))\n"
      "    return torch.linear(y.flatten(1), self.w96, self.b4)\n");
  torch::jit::Module frozen = torch::jit::freeze(module);
  ASSERT_FALSE(frozen.hasattr("training"));
  const auto plain = ReadNetwork(module, kShape), read = ReadNetwork(frozen, kShape);
  ASSERT_TRUE(plain.ok() && read.ok()) << read.status();
  const std::vector<double> image(kShape.size(), 0.4);
  EXPECT_EQ((*plain)->Evaluate(image.data()).back(), (*read)->Evaluate(image.data()).back());
}

TEST(TorchNetwork, NamesTheOperatorThatHasNoBounds) {
  const struct {
    const char* forward;
    const char* named;
  } kCases[] = {
      {"    return torch.softmax(torch.linear(x.flatten(1), self.w192, self.b4), 1)\n",
       "the operator aten::softmax"},
      {"    y = torch.cat([x, x], 1)\n"
       "    return torch.linear(y.flatten(1), self.w384, self.b4)\n",
       "the operator aten::cat"},
      {"    y = torch.linear(x.flatten(1), self.w192, self.b4)\n    return y * y\n",
       "a product of two activations"},
      {"    return torch.linear(torch.gelu(x).flatten(1), self.w192, self.b4)\n", "aten::gelu"},
      {"    y = torch.dropout(x, 0.5, True)\n"
       "    return torch.linear(y.flatten(1), self.w192, self.b4)\n",
       "dropout in training mode"},
      {"    y = torch.conv2d(x, self.w1, self.b1, [1, 1], [1, 1])\n"
       "    y = torch.batch_norm(y, self.g, self.b, self.m, self.v, True, 0.1, 1e-5, False)\n"
       "    return torch.linear(y.flatten(1), self.w384, self.b4)\n",
       "statistics of the batch"},
      {"    y = x.flatten(1)\n"
       "    while bool(y.sum() > 0):\n        y = y - 1.0\n"
       "    return torch.linear(y, self.w192, self.b4)\n",
       "aten::sum"},
      {"    return self.b4.unsqueeze(0)\n", "do not depend on the image"},
      {"    y = torch.constant_pad_nd(x, [1, 1], 0.5)\n"
       "    return torch.linear(y[:, :, :, 1:9].flatten(1), self.w192, self.b4)\n",
       "other than zeros"},
      {"    y = x.to(4).to(6)\n"
       "    return torch.linear(y.flatten(1), self.w192, self.b4)\n",
       "conversion to another type"},
      {"    y = x.clone()\n    torch.relu_(y[:, 0])\n"
       "    return torch.linear(y.flatten(1), self.w192, self.b4)\n",
       "part of a tensor"},
  };
  for (const auto& test_case : kCases) {
    const auto network = ReadForward(test_case.forward);
    EXPECT_EQ(ReasonOf(network.status()), Reason::kInvalidCondition) << test_case.forward;
    EXPECT_THAT(std::string(network.status().message()), HasSubstr(test_case.named))
        << test_case.forward;
  }
}

TEST(TorchNetwork, ALoadedModelGivesItsNetworkOnce) {
  LoadOptions options;
  options.model_path = ASSAY_BINARY_DIR "/tests/zoo/tiny_cnn.pt";
  options.shape = kShape;
  const auto loaded = TorchClassifier::Load(options);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto first = (*loaded)->network(), second = (*loaded)->network();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->get(), second->get());
  const auto rows = static_cast<size_t>((*loaded)->forward_sizes().Holding(1));
  std::vector<float> images(rows * kShape.size(), 0.3F), logits(rows * 4);
  ASSERT_TRUE((*loaded)->Forward(images.data(), 1, logits.data()).ok());
  const std::vector<double> image(kShape.size(), 0.3F);
  const std::vector<double> ours = (*first)->Evaluate(image.data()).back();
  for (size_t k = 0; k < 4; ++k) EXPECT_NEAR(ours[k], logits[k], 1e-4);
}

// As a module is that brings the interface of a model.
TEST(TorchNetwork, AttributesOfAModuleThatCannotBeFrozenAreRead) {
  torch::jit::Module inner("__torch__.assay.Inner");
  inner.register_buffer("weight", at::randn({4, 192}) * 0.1);
  inner.define("def forward(self, x):\n  return torch.linear(torch.flatten(x, 1), self.weight)\n");
  torch::jit::Module outer("__torch__.assay.Outer");
  outer.register_module("model", inner);
  outer.register_buffer("mean", at::rand({3, 1, 1}));
  outer.define("def forward(self, x):\n  return self.model.forward(torch.sub(x, self.mean))\n");
  const auto network = ReadNetwork(outer, kShape);
  ASSERT_TRUE(network.ok()) << network.status();
  const at::Tensor image = at::rand({1, 3, 8, 8});
  const at::Tensor logits = outer.forward({image}).toTensor();
  const at::Tensor doubles = image.to(at::kDouble).contiguous();
  const std::vector<double> ours = (*network)->Evaluate(doubles.data_ptr<double>()).back();
  ASSERT_EQ(ours.size(), 4u);
  for (int64_t k = 0; k < 4; ++k) {
    EXPECT_NEAR(ours[static_cast<size_t>(k)], logits[0][k].item<double>(), 1e-5);
  }
}

TEST(TorchNetwork, TextsThatAModelFormatsAreInNobodysWay) {
  ExpectSameLogits(
      "  assert x.shape[1] == 3, '{} channels'.format(x.shape[1])\n"
      "  text = '{} of {}'.format(x.shape[1], 3)\n"
      "  if len(text) > 9:\n    x = x * 2.0\n"
      "  return torch.linear(torch.flatten(x, 1), self.w192, self.b4)\n");
}

}  // namespace
}  // namespace assay::engine::bounds
