#include "server/engine/import/missing_operators.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/jit.h>
#include <torch/script.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "tests/server/engine/import/expected.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;

// Numbers without a pattern: sin(0.7 i + c).
at::Tensor Wave(std::vector<int64_t> sizes, double c) {
  return at::sin(at::arange(c10::multiply_integers(sizes), at::kDouble) * 0.7 + c)
      .view(sizes)
      .to(at::kFloat);
}

at::Tensor Golden(std::vector<float> values) { return at::tensor(values); }

// What the operators of PyTorch 2.6.0 (Debian 13) give for these arguments, printed by
//   print([f"{v:.7g}" for v in torch.nn.functional.scaled_dot_product_attention(...).flatten()])
class MissingOperatorsTest : public testing::Test {
 protected:
  void SetUp() override { RegisterMissingOperators(); }

  // The result of `expression`, of TorchScript, of arguments a to d.
  at::Tensor Run(const std::string& expression, const at::Tensor& a, const at::Tensor& b = {},
                 const at::Tensor& c = {}, const at::Tensor& d = {}) {
    const auto unit = jit::compile("def f(a: Tensor, b: Tensor, c: Tensor, d: Tensor):\n  return " +
                                   expression + "\n");
    const auto some = [](const at::Tensor& x) { return x.defined() ? x : at::zeros({1}); };
    return unit->run_method("f", a, some(b), some(c), some(d)).toTensor();
  }

  void ExpectGolden(const at::Tensor& result, std::vector<float> values) {
    ASSERT_EQ(result.numel(), static_cast<int64_t>(values.size()));
    EXPECT_LT(MaxDifference(result.detach().flatten(), Golden(std::move(values))), 1e-6);
  }

  const at::Tensor query_ = Wave({1, 2, 3, 4}, 0), key_ = Wave({1, 2, 3, 4}, 1),
                   value_ = Wave({1, 2, 3, 4}, 2), x_ = Wave({2, 3}, 5) * 2;
};

// What LibTorch has by itself is in its dispatcher, where these definitions are not.
TEST_F(MissingOperatorsTest, OnlyWhatIsMissingIsRegistered) {
  const std::vector<std::string>& registered = RegisterMissingOperators();
  EXPECT_EQ(&RegisterMissingOperators(), &registered);
  std::printf("registered: %s\n", absl::StrJoin(registered, " ").c_str());
  for (const char* name : {"aten::scaled_dot_product_attention", "aten::rms_norm",
                           "aten::_native_batch_norm_legit_no_training", "aten::_safe_softmax",
                           "aten::_fused_rms_norm"}) {
    EXPECT_EQ(std::count(registered.begin(), registered.end(), name),
              c10::Dispatcher::singleton().findSchema({name, ""}).has_value() ? 0 : 1)
        << name;
  }
  // Of operators that take less here than in newer versions.
  EXPECT_EQ(std::count(registered.begin(), registered.end(), "aten::var.correction_newer"),
            std::count(registered.begin(), registered.end(), "aten::rms_norm"));
}

TEST_F(MissingOperatorsTest, AttentionIsThatOfPyTorch) {
  ExpectGolden(Run("torch.scaled_dot_product_attention(a, b, c)", query_, key_, value_),
               {0.794321,    0.5998627,  0.1232795,  -0.4112839, -0.2745964,  -0.2145767,
                -0.05363818, 0.1325272,  0.5298526,  0.4229784,  0.1171708,   -0.243744,
                -0.3852636,  -0.6889558, -0.6686214, -0.3338238, 0.008075071, 0.05863729,
                0.08162148,  0.06621782, -0.1725668, -0.3654957, -0.3865262,  -0.2257675});
}

TEST_F(MissingOperatorsTest, AttentionHasTheGradientOfPyTorch) {
  const at::Tensor query = query_.clone().requires_grad_();
  const at::Tensor result = Run("torch.scaled_dot_product_attention(a, b, c)", query, key_, value_);
  const at::Tensor gradient =
      torch::autograd::grad({(result * Wave({1, 2, 3, 4}, 3)).sum()}, {query})[0];
  ExpectGolden(gradient,
               {0.09404445,  0.04221393,  -0.02947046, -0.08729443, -0.2824323, -0.3977585,
                -0.3260126,  -0.1009379,  0.2693372,   0.4008583,   0.3438494,  0.1251228,
                -0.04625391, -0.09986264, -0.1065044,  -0.06305549, -0.1499758, 0.2486876,
                0.5303894,   0.5626406,   0.2294661,   -0.2135839,  -0.556182,  -0.637199});
}

TEST_F(MissingOperatorsTest, AMaskOfBoolsHidesWhereItIsFalseAndARowWithoutAnythingGivesZero) {
  const at::Tensor mask =
      at::tensor(std::vector<int64_t>{1, 0, 1, 0, 0, 0, 1, 1, 0}).view({3, 3}).to(at::kBool);
  const std::string call = "torch.scaled_dot_product_attention(a, b, c, attn_mask=d)";
  ExpectGolden(Run(call, query_, key_, value_, mask),
               {0.9440744,  0.7090445,  0.1405399,   -0.4940628, 0,          0,
                0,          0,          0.08684142,  -0.0616233, -0.1811057, -0.2154112,
                -0.5106747, -0.9020892, -0.8692371,  -0.4275692, 0,          0,
                0,          0,          -0.06959117, 0.05560254, 0.1546455,  0.1809563});
  // Neither is the gradient anything but zero.
  const at::Tensor query = query_.clone().requires_grad_();
  const at::Tensor gradient =
      torch::autograd::grad({Run(call, query, key_, value_, mask).sum()}, {query})[0];
  EXPECT_TRUE(gradient.isfinite().all().item<bool>());
  EXPECT_EQ(gradient.select(2, 1).abs().max().item<float>(), 0);
}

TEST_F(MissingOperatorsTest, AMaskOfNumbersIsAdded) {
  ExpectGolden(
      Run("torch.scaled_dot_product_attention(a, b, c, d)", query_, key_, value_, Wave({3, 3}, 4)),
      {0.8233777,   0.6194842,  0.1242375,  -0.42944,   -0.3141672,  -0.1998746,
       0.008422118, 0.2127578,  0.4760274,  0.2936081,  -0.02689975, -0.3347562,
       -0.4108951,  -0.7298425, -0.7055337, -0.3494013, 0.1075918,   0.1296132,
       0.09067541,  0.0090916,  -0.2415399, -0.3392766, -0.2774462,  -0.08512851});
}

TEST_F(MissingOperatorsTest, CausalAttentionSeesWhatCameBefore) {
  ExpectGolden(
      Run("torch.scaled_dot_product_attention(a, b, c, is_causal=True)", query_, key_, value_),
      {0.9092974,  0.4273799,  -0.2555411, -0.8182771,  -0.4782179, -0.3975876,
       -0.1299656, 0.1987812,  0.5298526,  0.4229784,   0.1171708,  -0.243744,
       -0.8278264, -0.9945526, -0.6935251, -0.06632189, 0.07175632, 0.2513687,
       0.3127584,  0.227053,   -0.1725668, -0.3654957,  -0.3865262, -0.2257675});
}

TEST_F(MissingOperatorsTest, TheScaleOfScoresCanBeGiven) {
  ExpectGolden(Run("torch.scaled_dot_product_attention(a, b, c, scale=0.25)", query_, key_, value_),
               {0.6112105,   0.4497992,   0.07684015, -0.332258,  0.008905787, -0.007880642,
                -0.02096072, -0.02418263, 0.4156487,  0.3169527,  0.0691888,   -0.2111156,
                -0.3057818,  -0.527598,   -0.5012767, -0.239197,  -0.0876062,  -0.1161711,
                -0.09009889, -0.02165178, -0.1715149, -0.3221099, -0.3212116,  -0.1692424});
}

TEST_F(MissingOperatorsTest, GroupedQueriesShareKeys) {
  ExpectGolden(Run("torch.scaled_dot_product_attention(a, b, c, enable_gqa=True)",
                   Wave({1, 4, 3, 2}, 0), Wave({1, 2, 3, 2}, 1), Wave({1, 2, 3, 2}, 2)),
               {0.1640252,  -0.190198,  0.4185821,  -0.03594478, -0.1638033, -0.4102511,
                -0.7224691, -0.6356989, -0.3112816, -0.4480505,  0.4107784,  -0.03325025,
                0.5448665,  0.2570618,  0.2291133,  0.4801758,   0.1652904,  0.5330641,
                0.5277901,  0.3897435,  0.5832461,  0.2389226,   0.418864,   0.3627445});
  EXPECT_ANY_THROW(Run("torch.scaled_dot_product_attention(a, b, c, enable_gqa=True)",
                       Wave({1, 3, 3, 2}, 0), Wave({1, 2, 3, 2}, 1), Wave({1, 2, 3, 2}, 2)));
}

TEST_F(MissingOperatorsTest, DecomposedAttentionIsTheSame) {
  const at::Tensor expected =
      Run("torch.scaled_dot_product_attention(a, b, c)", query_, key_, value_);
  const at::Tensor result =
      Run("torch._scaled_dot_product_flash_attention_for_cpu(a, b, c)[0]", query_, key_, value_);
  EXPECT_LT(MaxDifference(result, expected), 1e-6);
}

TEST_F(MissingOperatorsTest, RmsNormIsThatOfPyTorch) {
  ExpectGolden(Run("torch.rms_norm(a, [3])", x_),
               {-1.493723, -0.8578066, 0.1815495, 0.8578944, 1.175146, 0.9397075});
  ExpectGolden(Run("torch.rms_norm(a, [3], b, 0.1)", x_, Wave({3}, 6)),
               {0.4052585, -0.3372058, 0.1584256, -0.2356638, 0.4677289, 0.830271});
  EXPECT_ANY_THROW(Run("torch.rms_norm(a, [4])", x_));
}

TEST_F(MissingOperatorsTest, VarianceTakesAnyCorrection) {
  ExpectGolden(Run("torch.var(a, dim=[1], correction=0.5)", x_), {0.9432023F, 0.06268029F});
  ExpectGolden(Run("torch.var(a, correction=0.5)", x_), {2.31892F});
  ExpectGolden(Run("torch.std_mean(a, dim=[0], correction=0, keepdim=True)[0]", x_),
               {1.687893F, 1.549229F, 0.6819379F});
  ExpectGolden(Run("torch.std_mean(a, dim=[0], correction=0, keepdim=True)[1]", x_),
               {-0.2299553F, 0.4478578F, 0.9150363F});
}

TEST_F(MissingOperatorsTest, DimensionsCanBeLists) {
  EXPECT_EQ(Run("torch.squeeze(a, [0, -1])", at::zeros({1, 1, 2, 1})).sizes(),
            (std::vector<int64_t>{1, 2}));
  at::Tensor one = at::zeros({2, 2, 2});
  one[0][1].fill_(1);
  EXPECT_TRUE(
      Run("torch.any(a, [1, 2])", one).equal(at::tensor(std::vector<int64_t>{1, 0}).to(at::kBool)));
  EXPECT_TRUE(Run("torch.all(a, [2], keepdim=True)", one).sum().item<int>() == 1);
}

TEST_F(MissingOperatorsTest, BatchNormOfExportsIsBatchNorm) {
  const at::Tensor x = Wave({2, 3, 2, 2}, 1), weight = Wave({3}, 2), bias = Wave({3}, 3),
                   mean = Wave({3}, 4), variance = Wave({3}, 5).square();
  const auto unit = jit::compile(R"(
def f(x: Tensor, w: Tensor, b: Tensor, m: Tensor, v: Tensor):
  return torch._native_batch_norm_legit_no_training(x, w, b, m, v, 0.1, 1e-5)[0]
)");
  const at::Tensor result = unit->run_method("f", x, weight, bias, mean, variance).toTensor();
  const auto channel = [](const at::Tensor& t) { return t.view({1, 3, 1, 1}); };
  const at::Tensor expected =
      (x - channel(mean)) / (channel(variance) + 1e-5).sqrt() * channel(weight) + channel(bias);
  EXPECT_LT(MaxDifference(result, expected), 1e-5);
}

TEST_F(MissingOperatorsTest, PreluMultipliesWhatIsNegative) {
  ExpectGolden(Run("torch._prelu_kernel(a, b)", x_, at::full({1, 1}, 0.25)),
               {-0.4794621, -0.2753428, 0.2330984, 1.457938, 1.997087, 1.596974});
}

TEST_F(MissingOperatorsTest, AssertionsOfExportsAreChecked) {
  const auto assert_size = [&](std::vector<int64_t> size) {
    const auto graph = std::make_shared<jit::Graph>();
    jit::Value* const x = graph->addInput();
    graph->insert(c10::Symbol::fromQualString("aten::_assert_tensor_metadata"), {x},
                  {jit::NamedValue("size", graph->insertConstant(size)),
                   jit::NamedValue("device", graph->insertConstant(at::Device("cpu")))});
    graph->registerOutput(x);
    jit::GraphFunction function("f", graph, nullptr);
    jit::GraphOptimizerEnabledGuard no_optimizer(false);
    jit::Stack stack{x_};
    function.run(stack);
  };
  assert_size({2, 3});
  EXPECT_ANY_THROW(assert_size({3, 2}));
}

TEST_F(MissingOperatorsTest, GraphsThatAreBuiltFindThem) {
  const auto graph = std::make_shared<jit::Graph>();
  std::vector<jit::NamedValue> inputs;
  for (int i = 0; i < 3; ++i) inputs.emplace_back(graph->addInput());
  graph->registerOutput(
      graph->insert(c10::Symbol::fromQualString("aten::scaled_dot_product_attention"), inputs,
                    {jit::NamedValue("scale", 0.25)}));
  jit::GraphFunction function("f", graph, nullptr);
  jit::Stack stack{query_, key_, value_};
  function.run(stack);
  EXPECT_LT(MaxDifference(stack.at(0).toTensor(),
                          Run("torch.scaled_dot_product_attention(a, b, c, scale=0.25)", query_,
                              key_, value_)),
            1e-6);
}

}  // namespace
}  // namespace assay::engine
