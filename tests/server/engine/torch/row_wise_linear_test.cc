// Layers that compute row by row, against LibTorch's own.
#include "server/engine/torch/row_wise_linear.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <string>

#include "gtest/gtest.h"

namespace assay::engine {
namespace {

torch::jit::Module Frozen(const std::string& body) {
  torch::jit::Module module("Net");
  at::manual_seed(3);
  module.register_buffer("w", at::randn({40, 48}));
  module.register_buffer("b", at::randn({40}));
  module.register_buffer("v", at::randn({40, 7}));
  module.define("def forward(self, x):\n" + body);
  module.eval();
  torch::jit::GraphOptimizerEnabledGuard optimizer(true);
  return torch::jit::freeze(module);
}

struct Layers {
  const char* name;
  const char* body;
  int count;
};

class RowWise : public ::testing::TestWithParam<Layers> {};

TEST_P(RowWise, LayersGiveTheSameLogitsAndGradients) {
  torch::jit::Module plain = Frozen(GetParam().body);
  torch::jit::Module by_rows = plain.clone();
  ASSERT_EQ(MakeRowWise(by_rows), GetParam().count);
  const at::Tensor x = at::randn({6, 3, 4, 4});
  const auto run = [&x](torch::jit::Module& module) {
    const at::Tensor input = x.clone().requires_grad_(true);
    const at::Tensor y = module.forward({input}).toTensor();
    return std::make_pair(
        y.detach(), torch::autograd::grad({y}, {input}, {at::ones_like(y)}, {}, false, true)[0]);
  };
  const auto [y, dy] = run(plain);
  const auto [z, dz] = run(by_rows);
  EXPECT_TRUE(at::allclose(y, z, 1e-5, 1e-4));
  EXPECT_TRUE(at::allclose(dy, dz, 1e-5, 1e-4));
  c10::InferenceMode no_gradients;
  EXPECT_TRUE(at::equal(by_rows.forward({x}).toTensor(), z));
}

TEST_P(RowWise, AnImageHasTheSameBitsInBatchesOfAllSizes) {
  torch::jit::Module by_rows = Frozen(GetParam().body);
  MakeRowWise(by_rows);
  const at::Tensor x = at::randn({32, 3, 4, 4});
  const at::Tensor all = by_rows.forward({x}).toTensor();
  for (const int64_t size : {1, 2, 3, 4, 5, 8, 17}) {
    EXPECT_TRUE(
        at::equal(by_rows.forward({x.narrow(0, 9, size)}).toTensor(), all.narrow(0, 9, size)))
        << size;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, RowWise,
    ::testing::Values(
        Layers{"Linear",
               "  h = torch.relu(torch.linear(torch.flatten(x, 1), self.w, self.b))\n"
               "  return torch.matmul(h, self.v)\n",
               2},
        Layers{"LinearWithoutBias", "  return torch.linear(torch.flatten(x, 1), self.w, None)\n",
               1},
        Layers{"Addmm", "  return torch.addmm(self.b, torch.flatten(x, 1), torch.t(self.w))\n", 1},
        Layers{"Tokens",
               "  h = torch.reshape(torch.flatten(x, 1), [-1, 1, 48])\n"
               "  h = torch.linear(torch.cat([h, h], 1), self.w, self.b)\n"
               "  return torch.mean(h, [1])\n",
               1}),
    [](const auto& test) { return test.param.name; });

TEST(RowWiseLayers, OthersStayAsTheyAre) {
  torch::jit::Module twice =
      Frozen("  return torch.addmm(self.b, torch.flatten(x, 1), torch.t(self.w), beta=2)\n");
  EXPECT_EQ(MakeRowWise(twice), 0);
  torch::jit::Module vector = Frozen("  return torch.matmul(torch.flatten(x, 1), self.w[0])\n");
  EXPECT_EQ(MakeRowWise(vector), 0);
}

}  // namespace
}  // namespace assay::engine
