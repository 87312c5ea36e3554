#include "server/engine/import/rewrite_fast_paths.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/script.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/engine/import/base/torch_guard.h"
#include "server/engine/import/missing_operators.h"
#include "tests/server/engine/import/expected.h"
#include "tests/test_data.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;

constexpr int64_t kBatch = 3, kLength = 5, kWidth = 8;

// Numbers without a pattern: 0.4 sin(1.3 i + c).
at::Tensor Wave(std::vector<int64_t> sizes, double c) {
  return (at::sin(at::arange(c10::multiply_integers(sizes), at::kDouble) * 1.3 + c) * 0.4)
      .view(sizes)
      .to(at::kFloat);
}

// A module with the parameters of an attention or a layer, whose forward(x) is `code`.
jit::Module Make(const std::string& code, const at::Tensor& mask = {}) {
  jit::Module module("Model");
  int seed = 0;
  const auto add = [&](const char* name, std::vector<int64_t> sizes) {
    module.register_parameter(name, Wave(std::move(sizes), ++seed), false);
  };
  add("w", {3 * kWidth, kWidth});
  add("b", {3 * kWidth});
  add("pw", {kWidth, kWidth});
  add("pb", {kWidth});
  add("n1", {kWidth});
  add("m1", {kWidth});
  add("n2", {kWidth});
  add("m2", {kWidth});
  add("f1", {2 * kWidth, kWidth});
  add("g1", {2 * kWidth});
  add("f2", {kWidth, 2 * kWidth});
  add("g2", {kWidth});
  add("other", {kBatch, kLength, kWidth});
  module.register_buffer("mask", mask.defined() ? mask : at::zeros({1}));
  module.define("def inner(self, x):\n" + code +
                "\ndef forward(self, x):\n  return self.inner(x)\n");
  module.eval();
  for (at::Tensor parameter : module.parameters()) parameter.requires_grad_(false);
  return module;
}

std::string Attention(const std::string& keys, const std::string& rest) {
  return absl::StrCat("  return torch._native_multi_head_attention(x, ", keys,
                      ", 8, 2, self.w, self.b, self.pw, self.pb, ", rest);
}

std::string Layer(bool gelu, bool norm_first, const std::string& mask) {
  const auto flag = [](bool value) { return value ? "True" : "False"; };
  return absl::StrCat(
      "  return torch._transformer_encoder_layer_fwd(x, 8, 2, self.w, self.b, self.pw, self.pb, ",
      flag(gelu), ", ", flag(norm_first),
      ", 1e-5, self.n1, self.m1, self.n2, self.m2, self.f1, self.g1, self.f2, self.g2, ", mask,
      ")");
}

at::Tensor Forward(jit::Module& module, const at::Tensor& x) {
  jit::GraphOptimizerEnabledGuard no_optimizer(false);
  return module.forward({x}).toTensor();
}

at::Tensor Padding() {
  at::Tensor mask = at::zeros({kBatch, kLength}, at::kBool);
  mask[0][4] = true;
  mask[2][1] = true;
  return mask;
}

at::Tensor OfScores() { return Wave({kBatch, 2, kLength, kLength}, 9).gt(0.1); }

// Whether the code of a module, wherever, has the words.
bool HasCode(const jit::Module& module, const std::string& words) {
  for (jit::Function* function : module._ivalue()->compilation_unit()->get_functions()) {
    if (absl::StrContains(jit::toGraphFunction(*function).graph()->toString(), words)) return true;
  }
  return false;
}

// That the code gives the same values rewritten, and gradients that those values bear out.
void ExpectSame(const std::string& code, const at::Tensor& mask = {}) {
  SCOPED_TRACE(code);
  jit::Module original = Make(code, mask), rewritten = Make(code, mask);
  EXPECT_FALSE(OperatorsWithoutDerivative(original).empty());
  ASSERT_TRUE(RewriteFastPaths(rewritten).ok());
  EXPECT_TRUE(OperatorsWithoutDerivative(rewritten).empty());
  EXPECT_FALSE(HasCode(rewritten, "aten::_native_multi_head_attention"));
  EXPECT_FALSE(HasCode(rewritten, "aten::_transformer_encoder_layer_fwd"));
  const at::Tensor x = Wave({kBatch, kLength, kWidth}, 20);
  at::Tensor expected;
  {
    c10::InferenceMode no_gradients;
    expected = Forward(original, x).clone();
  }
  const at::Tensor input = x.clone().requires_grad_();
  const at::Tensor result = Forward(rewritten, input);
  EXPECT_LT(MaxDifference(result.detach(), expected), 1e-6);
  const at::Tensor weights = Wave(expected.sizes().vec(), 30),
                   direction = Wave({kBatch, kLength, kWidth}, 40);
  const at::Tensor gradient = torch::autograd::grad({(result * weights).sum()}, {input})[0];
  // The original in both directions, for it alone is independent of the rewriting.
  c10::InferenceMode no_gradients;
  const double step = 1e-2;
  const at::Tensor difference =
      (Forward(original, x + direction * step) - Forward(original, x - direction * step)) /
      (2 * step);
  EXPECT_NEAR((gradient * direction).sum().item<double>(),
              (difference * weights).sum().item<double>(), 2e-3);
}

TEST(RewriteFastPathsTest, AttentionIsTheSame) {
  ExpectSame(Attention("x, x", "None, False)[0]"));
  ExpectSame(Attention("x, x", "None, True)[0]"));
}

TEST(RewriteFastPathsTest, AttentionToOthersIsTheSame) {
  ExpectSame(Attention("self.other, self.other", "None, False)[0]"));
  ExpectSame(Attention("self.other, x", "None, False)[0]"));
}

TEST(RewriteFastPathsTest, MasksAreTheSame) {
  ExpectSame(Attention("x, x", "self.mask, False, True, 1)[0]"), Padding());
  ExpectSame(Attention("x, x", "self.mask, False, True, 2)[0]"), OfScores());
  // As nn.MultiheadAttention makes it of a mask of bools.
  ExpectSame(Attention("x, x", "self.mask, False, True, 1)[0]"),
             at::zeros({kBatch, kLength}).masked_fill(Padding(), -INFINITY));
}

TEST(RewriteFastPathsTest, AMaskOfPositionsHidesInEveryHeadOfEveryImage) {
  // LibTorch 1.13 has no mask type 0 on a CPU.
  const at::Tensor mask = Wave({kLength, kLength}, 9).gt(0.1);
  jit::Module positions = Make(Attention("x, x", "self.mask, False, True, 0)[0]"), mask);
  jit::Module scores = Make(Attention("x, x", "self.mask, False, True, 2)[0]"),
                            mask.expand({kBatch, 2, kLength, kLength}));
  ASSERT_TRUE(RewriteFastPaths(positions).ok());
  const at::Tensor x = Wave({kBatch, kLength, kWidth}, 20);
  c10::InferenceMode no_gradients;
  EXPECT_LT(MaxDifference(Forward(positions, x), Forward(scores, x)), 1e-6);
}

TEST(RewriteFastPathsTest, WeightsOfAttentionAreTheSame) {
  ExpectSame(Attention("x, x", "None, True, True)[1]"));
  ExpectSame(Attention("x, x", "None, True, False)[1]"));
}

TEST(RewriteFastPathsTest, LayersAreTheSame) {
  for (const bool gelu : {false, true}) {
    for (const bool norm_first : {false, true}) {
      ExpectSame(Layer(gelu, norm_first, "None, None"));
      ExpectSame(Layer(gelu, norm_first, "self.mask, 1"), Padding());
    }
  }
}

TEST(RewriteFastPathsTest, AMaskThatOnlyTheRunDecidesIsTheSame) {
  ExpectSame(
      "  mask: Optional[Tensor] = None\n"
      "  kind: Optional[int] = None\n"
      "  if x.size(0) == 3:\n"
      "    mask = self.mask\n"
      "    kind = 1\n" +
          Attention("x, x", "mask, False, True, kind)[0]"),
      Padding());
}

TEST(RewriteFastPathsTest, CodeThatWasInlinedBeforeIsRewrittenToo) {
  jit::Module module = Make(Attention("x, x", "None, False)[0]"));
  // Has LibTorch keep the code.
  jit::toGraphFunction(module.get_method("inner").function()).optimized_graph();
  ASSERT_TRUE(RewriteFastPaths(module).ok());
  const at::Tensor x = Wave({kBatch, kLength, kWidth}, 20).requires_grad_();
  EXPECT_TRUE(Forward(module, x).requires_grad());
}

TEST(RewriteFastPathsTest, OtherModelsAreLeftAlone) {
  jit::Module module = Make("  return torch.relu(x)");
  const std::string before = module.get_method("inner").graph()->toString();
  ASSERT_TRUE(RewriteFastPaths(module).ok());
  EXPECT_EQ(module.get_method("inner").graph()->toString(), before);
}

TEST(RewriteFastPathsTest, OperatorsWithoutDerivativeAreNamed) {
  jit::Module module = Make(
      "  y = torch.quantize_per_tensor(x, 0.1, 0, 12)\n"
      "  return torch.dequantize(y)");
  EXPECT_EQ(OperatorsWithoutDerivative(module),
            std::vector<std::string>{"aten::quantize_per_tensor"});
}

TEST(RewriteFastPathsTest, ATraceInEvalModeHasTheLogitsAndGradientsOfPyTorch) {
  ASSAY_TEST_DATA_OR_SKIP(path, "models2x/odd/vit_fastpath_trace.pt");
  ASSAY_TEST_DATA_OR_SKIP(expected, "models2x/torch-2.6/expected.npz");
  RegisterMissingOperators();
  jit::Module module = jit::load(path);
  module.eval();
  ASSERT_TRUE(RewriteFastPaths(module).ok());
  for (at::Tensor parameter : module.parameters()) parameter.requires_grad_(false);
  const at::Tensor input = ReadExpected(expected, "input").requires_grad_();
  const at::Tensor logits = Forward(module, input);
  const at::Tensor gradient =
      torch::autograd::grad({(logits * GradientWeights(6, 10)).sum()}, {input})[0];
  const double of_logits = MaxDifference(logits.detach(), ReadExpected(expected, "vit_logits")),
               of_gradient = MaxDifference(gradient, ReadExpected(expected, "vit_gradient"));
  std::printf("vit_fastpath_trace: logits %.2g, gradient %.2g\n", of_logits, of_gradient);
  EXPECT_LT(of_logits, 1e-5);
  EXPECT_LT(of_gradient, 1e-5);
}

}  // namespace
}  // namespace assay::engine
