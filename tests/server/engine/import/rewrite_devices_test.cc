#include "server/engine/import/rewrite_devices.h"

#include <gtest/gtest.h>
#include <torch/script.h>

namespace assay::engine {
namespace {

namespace jit = torch::jit;

jit::Module OnGpu() {
  jit::Module module("Model");
  module.define(R"(
def ones(self, x):
  return torch.ones([2], device=torch.device("cuda:0"))
def forward(self, x):
  return torch.add(self.ones(x), x.to(torch.device("cuda:0")))
)");
  return module;
}

TEST(RewriteDevicesTest, CodeThatNamesAGpuRunsWhereTheModelIs) {
  jit::Module module = OnGpu();
  ASSERT_TRUE(RewriteDevices(module, at::kCPU).ok());
  EXPECT_TRUE(module.forward({at::zeros({2})}).toTensor().equal(at::ones({2})));
}

TEST(RewriteDevicesTest, WithoutItSuchCodeFails) {
  EXPECT_ANY_THROW(OnGpu().forward({at::zeros({2})}));
}

TEST(RewriteDevicesTest, DevicesThatAreConstantsAreReplaced) {
  jit::Module module("Model");
  module.define("def forward(self, x):\n  return x\n");
  const auto graph = module.get_method("forward").graph();
  {
    const jit::WithInsertPoint end(graph->return_node());
    jit::Value* const zeros =
        graph->insert(c10::Symbol::fromQualString("aten::zeros_like"), {graph->inputs()[1]},
                      {jit::NamedValue("device", graph->insertConstant(at::Device("cuda:1")))});
    graph->eraseOutput(0);
    graph->registerOutput(zeros);
  }
  ASSERT_TRUE(RewriteDevices(module, at::kCPU).ok());
  EXPECT_TRUE(module.forward({at::ones({2})}).toTensor().equal(at::zeros({2})));
}

}  // namespace
}  // namespace assay::engine
