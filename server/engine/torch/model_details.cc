#include "server/engine/torch/model_details.h"

#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace assay::engine {
namespace {

void CountOperators(const torch::jit::Block& block, std::map<std::string, int>& counts) {
  for (const torch::jit::Node* node : block.nodes()) {
    // What is left is the language, not what is computed.
    const std::string kind = node->kind().toQualString();
    if (!absl::StartsWith(kind, "prim::")) ++counts[kind];
    for (const torch::jit::Block* inner : node->blocks()) CountOperators(*inner, counts);
  }
}

void AddWeight(absl::string_view name, const at::Tensor& tensor, v1::ModelDetails& details) {
  // A model with an interface of its own is inside of another (import/apply_interface.h).
  absl::ConsumePrefix(&name, "model.");
  v1::ModelDetails::Weight& weight = *details.add_weights();
  weight.set_name(std::string(name));
  for (const int64_t size : tensor.sizes()) weight.add_sizes(size);
}

}  // namespace

v1::ModelDetails DescribeModule(const torch::jit::Module& module) {
  v1::ModelDetails details;
  int64_t parameters = 0;
  for (const auto& parameter : module.named_parameters()) {
    AddWeight(parameter.name, parameter.value, details);
    parameters += parameter.value.numel();
  }
  for (const auto& buffer : module.named_buffers()) AddWeight(buffer.name, buffer.value, details);
  details.set_parameters(parameters);

  const std::shared_ptr<torch::jit::Graph> graph = module.get_method("forward").graph()->copy();
  // Calls are inlined only where the optimizer is on.
  const torch::jit::GraphOptimizerEnabledGuard optimizer(true);
  torch::jit::Inline(*graph);
  std::map<std::string, int> counts;
  CountOperators(*graph->block(), counts);
  std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [name, count] : sorted) {
    v1::ModelDetails::Operator& entry = *details.add_operators();
    entry.set_name(name);
    entry.set_count(count);
  }
  return details;
}

}  // namespace assay::engine
