#include "server/engine/torch/row_wise_linear.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/library.h>

#include <string>
#include <vector>

#include "server/engine/base/row_products.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;
using torch::autograd::AutogradContext;

at::Tensor Multiply(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& bias,
                    int64_t depth, int64_t width) {
  TORCH_CHECK(input.scalar_type() == at::kFloat && input.device().is_cpu() && input.dim() > 0 &&
                  input.size(-1) == depth,
              "a linear layer of ", depth, " values got ", input.toString(), " of ", input.sizes());
  const at::Tensor rows = input.contiguous();
  std::vector<int64_t> sizes = rows.sizes().vec();
  sizes.back() = width;
  at::Tensor out = at::empty(sizes, rows.options());
  MultiplyRows(rows.data_ptr<float>(), rows.numel() / depth, packed.data_ptr<float>(), depth, width,
               bias.defined() ? bias.data_ptr<float>() : nullptr, out.data_ptr<float>());
  return out;
}

struct RowWiseLinear : torch::autograd::Function<RowWiseLinear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& packed, const at::Tensor& packed_transposed,
                            const at::Tensor& bias, int64_t depth, int64_t width) {
    context->saved_data["packed_transposed"] = packed_transposed;
    context->saved_data["depth"] = depth;
    context->saved_data["width"] = width;
    return Multiply(input, packed, bias, depth, width);
  }
  static std::vector<at::Tensor> backward(AutogradContext* context,
                                          const std::vector<at::Tensor>& gradients) {
    return {Multiply(gradients[0], context->saved_data["packed_transposed"].toTensor(), {},
                     context->saved_data["width"].toInt(), context->saved_data["depth"].toInt()),
            {},
            {},
            {},
            {},
            {}};
  }
};

at::Tensor Linear(const at::Tensor& input, const at::Tensor& packed,
                  const at::Tensor& packed_transposed, const at::Tensor& bias, int64_t depth,
                  int64_t width) {
  if (at::GradMode::is_enabled() && input.requires_grad()) {
    return RowWiseLinear::apply(input, packed, packed_transposed, bias, depth, width);
  }
  return Multiply(input, packed, bias, depth, width);
}

TORCH_LIBRARY(assay, library) {
  library.def(
      "row_wise_linear(Tensor input, Tensor packed, Tensor packed_transposed, Tensor bias, "
      "int depth, int width) -> Tensor",
      &Linear);
}

// The value as a float32 tensor of that many dimensions that never changes; undefined if it is not
// one.
at::Tensor Constant(const jit::Value* value, int64_t dimensions) {
  const auto known = jit::toIValue(value);
  if (!known || !known->isTensor()) return {};
  at::Tensor tensor = known->toTensor();
  const bool fits = tensor.defined() && tensor.layout() == at::kStrided &&
                    tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat &&
                    tensor.dim() == dimensions;
  return fits ? tensor : at::Tensor();
}

bool IsOne(const jit::Value* value) {
  const auto known = jit::toIValue(value);
  return known && known->isScalar() && known->toScalar().toDouble() == 1;
}

bool IsNone(const jit::Value* value) {
  const auto known = jit::toIValue(value);
  return known && known->isNone();
}

// rows * matrix + bias.
struct Product {
  jit::Value* rows = nullptr;
  // depth x width; undefined where the node is no product with a constant.
  at::Tensor matrix;
  at::Tensor bias;
};

Product ProductOf(jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  Product product;
  if (kind == "aten::linear") {
    const at::Tensor weight = Constant(node.input(1), 2);
    product.bias = Constant(node.input(2), 1);
    if (!weight.defined() || (!product.bias.defined() && !IsNone(node.input(2)))) return {};
    product.rows = node.input(0);
    product.matrix = weight.t();
  } else if (kind == "aten::addmm") {
    product.bias = Constant(node.input(0), 1);
    if (!product.bias.defined() || !IsOne(node.input(3)) || !IsOne(node.input(4))) return {};
    product.rows = node.input(1);
    product.matrix = Constant(node.input(2), 2);
  } else if (kind == "aten::matmul" || kind == "aten::mm") {
    product.rows = node.input(0);
    product.matrix = Constant(node.input(1), 2);
  }
  if (product.matrix.defined() && product.bias.defined() &&
      product.bias.numel() != product.matrix.size(1)) {
    return {};
  }
  return product;
}

at::Tensor Pack(const at::Tensor& matrix) {
  at::Tensor packed = at::empty({PackedSize(matrix.size(0), matrix.size(1))}, at::kFloat);
  PackMatrix(matrix.data_ptr<float>(), matrix.size(0), matrix.size(1), matrix.stride(0),
             matrix.stride(1), packed.data_ptr<float>());
  return packed;
}

int Replace(jit::Block& block, jit::Graph& graph) {
  int count = 0;
  for (auto it = block.nodes().begin(); it != block.nodes().end();) {
    jit::Node& node = **it++;
    for (jit::Block* inner : node.blocks()) count += Replace(*inner, graph);
    const Product product = ProductOf(node);
    if (!product.matrix.defined()) continue;
    const jit::WithInsertPoint before(&node);
    const at::Tensor bias = product.bias.defined()
                                ? product.bias.contiguous()
                                : at::zeros({product.matrix.size(1)}, at::kFloat);
    jit::Value* const result =
        graph.insert(c10::Symbol::fromQualString("assay::row_wise_linear"),
                     {product.rows, graph.insertConstant(Pack(product.matrix)),
                      graph.insertConstant(Pack(product.matrix.t())), graph.insertConstant(bias),
                      product.matrix.size(0), product.matrix.size(1)});
    node.output()->replaceAllUsesWith(result);
    node.destroy();
    ++count;
  }
  return count;
}

}  // namespace

int MakeRowWise(torch::jit::Module& frozen) {
  const std::shared_ptr<jit::Graph> graph = frozen.get_method("forward").graph();
  return Replace(*graph->block(), *graph);
}

}  // namespace assay::engine
