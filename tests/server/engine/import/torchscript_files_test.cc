// TorchScript of PyTorch 2.x on whatever LibTorch this is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/models/file_format.h"
#include "server/engine/import/base/torch_guard.h"
#include "server/engine/import/explain_error.h"
#include "server/engine/import/missing_operators.h"
#include "server/engine/import/read_model.h"
#include "server/engine/import/rewrite_fast_paths.h"
#include "server/engine/import/select_output.h"
#include "tests/server/engine/import/expected.h"
#include "tests/test_data.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;

jit::Module Load(const std::string& path) {
  RegisterMissingOperators();
  jit::Module module = jit::load(path, at::kCPU);
  module.eval();
  EXPECT_TRUE(RewriteFastPaths(module).ok());
  for (at::Tensor parameter : module.parameters()) parameter.requires_grad_(false);
  return module;
}

struct Row {
  const char* folder;
  const char* file;
  const char* network;
};

class TorchScriptFilesTest : public testing::TestWithParam<Row> {};

TEST_P(TorchScriptFilesTest, LogitsAndGradientsAreThoseOfPyTorch) {
  const Row row = GetParam();
  const std::string name = absl::StrCat("models2x/", row.folder, "/", row.file);
  const bool odd = absl::string_view(row.folder) == "odd";
  ASSAY_TEST_DATA_OR_SKIP(path, name);
  ASSAY_TEST_DATA_OR_SKIP(
      expected, absl::StrCat("models2x/", odd ? "torch-2.6" : row.folder, "/expected.npz"));
  EXPECT_EQ(ExplainFile(path).format, FileFormat::kTorchScript);
  jit::Module module = Load(path);
  EXPECT_TRUE(OperatorsWithoutDerivative(module).empty());
  if (!DescribeOutput(module).empty()) {
    ASSERT_TRUE(SelectOutput(module, std::string("logits")).ok());
  }
  jit::GraphOptimizerEnabledGuard no_optimizer(false);
  const at::Tensor input = ReadExpected(expected, "input").requires_grad_();
  ASSERT_TRUE(input.defined());
  // A copy, for models that write into their input.
  const at::Tensor logits = module.forward({input.clone()}).toTensor();
  const at::Tensor gradient =
      torch::autograd::grad({(logits * GradientWeights(6, 10)).sum()}, {input})[0];
  const double of_logits =
      MaxDifference(logits.detach(), ReadExpected(expected, absl::StrCat(row.network, "_logits")));
  const double of_gradient =
      MaxDifference(gradient, ReadExpected(expected, absl::StrCat(row.network, "_gradient")));
  const at::Tensor alone = module.forward({input.detach().slice(0, 0, 1).clone()}).toTensor();
  std::printf("%s: logits %.2g, gradient %.2g, alone %.2g\n", name.c_str(), of_logits, of_gradient,
              MaxDifference(alone, logits.detach().slice(0, 0, 1)));
  EXPECT_LT(of_logits, 1e-5);
  EXPECT_LT(of_gradient, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Files, TorchScriptFilesTest,
                         testing::Values(Row{"torch-2.6", "convnext_trace.pt", "convnext"},
                                         Row{"torch-2.6", "efficientnet_trace.pt", "efficientnet"},
                                         Row{"torch-2.6", "resnet_trace.pt", "resnet"},
                                         Row{"torch-2.6", "resnet_script.pt", "resnet"},
                                         Row{"torch-2.6", "sdpa_trace.pt", "sdpa"},
                                         Row{"torch-2.6", "vit_trace.pt", "vit"},
                                         Row{"torch-2.6", "vit_script.pt", "vit"},
                                         Row{"torch-2.14", "convnext_trace.pt", "convnext"},
                                         Row{"torch-2.14", "efficientnet_trace.pt", "efficientnet"},
                                         Row{"torch-2.14", "resnet_trace.pt", "resnet"},
                                         Row{"torch-2.14", "sdpa_trace.pt", "sdpa"},
                                         Row{"torch-2.14", "vit_trace.pt", "vit"},
                                         Row{"odd", "vit_fastpath_trace.pt", "vit"},
                                         Row{"odd", "resnet_batch1_trace.pt", "resnet"},
                                         Row{"odd", "resnet_dict_trace.pt", "resnet"},
                                         Row{"odd", "resnet_inplace_trace.pt", "resnet"},
                                         Row{"odd", "resnet_training_script.pt", "resnet"}),
                         [](const testing::TestParamInfo<Row>& row) {
                           std::string name = absl::StrCat(row.param.folder, "_", row.param.file);
                           for (char& c : name)
                             c = absl::ascii_isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

// What LibTorch throws for a file, at its load or its first pass.
std::string ErrorOf(const std::string& path, bool* at_load) {
  *at_load = true;
  try {
    jit::Module module = Load(path);
    *at_load = false;
    jit::GraphOptimizerEnabledGuard no_optimizer(false);
    module.forward({at::rand({2, 3, 32, 32})});
  } catch (const std::exception& error) {
    return error.what();
  }
  return std::string();
}

TEST(OddTorchScriptTest, WhatOptimizeForInferenceLeftIsNamed) {
  ASSAY_TEST_DATA_OR_SKIP(path, "models2x/odd/resnet_optimized_script.pt");
  bool at_load;
  const std::string error = ErrorOf(path, &at_load);
  EXPECT_TRUE(at_load);
  const auto explained = ExplainLoadError(path, error);
  ASSERT_TRUE(explained.has_value()) << error;
  EXPECT_THAT(*explained, testing::HasSubstr("optimize_for_inference"));
}

TEST(OddTorchScriptTest, HalfPrecisionRunsOrIsNamed) {
  ASSAY_TEST_DATA_OR_SKIP(path, "models2x/odd/resnet_fp16_trace.pt");
  bool at_load;
  const std::string error = ErrorOf(path, &at_load);
  EXPECT_FALSE(at_load);
  if (error.empty()) return;
  const auto explained = ExplainRunError(error);
  ASSERT_TRUE(explained.has_value()) << error;
  EXPECT_THAT(*explained, testing::HasSubstr("it computes in float16"));
}

TEST(OddTorchScriptTest, HalfPrecisionIsNearSinglePrecisionWhereItRuns) {
  ASSAY_TEST_DATA_OR_SKIP(expected, "models2x/torch-2.6/expected.npz");
  ASSAY_TEST_DATA_OR_SKIP(path, "models2x/odd/resnet_bf16_trace.pt");
  jit::Module module = Load(path);
  jit::GraphOptimizerEnabledGuard no_optimizer(false);
  const at::Tensor logits = module.forward({ReadExpected(expected, "input")}).toTensor();
  const double difference =
      MaxDifference(logits.to(at::kFloat), ReadExpected(expected, "resnet_logits"));
  std::printf("resnet_bf16_trace: logits %.2g\n", difference);
  EXPECT_LT(difference, 0.05);
  EXPECT_GT(difference, 1e-6);
}

TEST(OddTorchScriptTest, QuantizedModelsHaveOperatorsWithoutDerivative) {
  ASSAY_TEST_DATA_OR_SKIP(path, "models2x/odd/resnet_quantized_script.pt");
  EXPECT_THAT(OperatorsWithoutDerivative(Load(path)),
              testing::Contains("quantized::linear_dynamic"));
}

TEST(OddTorchScriptTest, TracesInTrainingModeDependOnTheBatch) {
  ASSAY_TEST_DATA_OR_SKIP(path, "models2x/odd/resnet_training_trace.pt");
  const auto file = ReadModel(path, {3, 32, 32}, at::kCPU);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->training_in, "aten::batch_norm");
}

}  // namespace
}  // namespace assay::engine
