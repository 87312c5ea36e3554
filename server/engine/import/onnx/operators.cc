#include "server/engine/import/onnx/operators.h"

#include <map>

#include "absl/strings/match.h"

namespace assay::engine::onnx {

Implementation FindOperator(const std::string& type) {
  static const auto* const table = [] {
    auto* const all = new std::map<std::string, Implementation>();
    for (const auto& group :
         {ArithmeticOperators(), ActivationOperators(), LinearOperators(), ConvolutionOperators(),
          PoolingOperators(), NormalizationOperators(), AttentionOperators(), ReductionOperators(),
          MovementOperators(), ResizeOperators(), ConstantOperators()}) {
      all->insert(group.begin(), group.end());
    }
    return all;
  }();
  const auto found = table->find(type);
  return found == table->end() ? nullptr : found->second;
}

std::string WhyNot(const std::string& type) {
  if (absl::StartsWith(type, "Random") || type == "Multinomial" || type == "Bernoulli") {
    return "it is random, so that the model would not be one function; export the model in "
           "evaluation mode (model.eval()), without noise";
  }
  if (absl::StrContains(type, "QuantizeLinear") || absl::StartsWith(type, "QLinear") ||
      absl::EndsWith(type, "Integer")) {
    return "it belongs to a quantized model, which has no gradients; export the float32 model that "
           "was quantized";
  }
  if (type == "Loop" || type == "Scan" || absl::StartsWith(type, "Sequence") ||
      absl::EndsWith(type, "Sequence")) {
    return "loops and sequences are not supported; export the model with fixed image sizes, so "
           "that "
           "the exporter unrolls them (onnxsim can do so with the file)";
  }
  return "it is not supported; export the model as TorchScript or by torch.export, or without this "
         "operator";
}

}  // namespace assay::engine::onnx
