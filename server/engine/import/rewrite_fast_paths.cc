#include "server/engine/import/rewrite_fast_paths.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/peephole.h>
#include <torch/jit.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/engine/import/base/torch_guard.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;

constexpr char kAttention[] = "aten::_native_multi_head_attention";
constexpr char kEncoderLayer[] = "aten::_transformer_encoder_layer_fwd";

// What the operators compute, from the documentation of torch.nn.MultiheadAttention ("fast path")
// and torch.nn.TransformerEncoderLayer. Parameters are named as in the schemas. A mask is true, or
// not zero, where attention is blocked: N x L of mask type 1, L x L of type 0, else of the shape of
// the scores.
constexpr char kDefinitions[] = R"(
def attend(query: Tensor, key: Tensor, value: Tensor, num_head: int, proj_weight: Tensor,
           proj_bias: Tensor, mask: Optional[Tensor], need_weights: bool,
           average_attn_weights: bool, mask_type: Optional[int]) -> Tuple[Tensor, Tensor]:
    width = query.size(2) // num_head
    queries = query.unflatten(2, [num_head, width]).transpose(1, 2)
    keys = key.unflatten(2, [num_head, width]).transpose(1, 2)
    values = value.unflatten(2, [num_head, width]).transpose(1, 2)
    scores = torch.matmul(queries * (width ** -0.5), keys.transpose(2, 3))
    if mask is not None:
        blocked = mask.ne(0)
        if mask_type is not None:
            if mask_type == 1:
                blocked = blocked.unsqueeze(1).unsqueeze(2)
        scores = scores.masked_fill(blocked, float("-inf"))
    weights = torch.softmax(scores, 3)
    heads = torch.matmul(weights, values).transpose(1, 2).flatten(2)
    result = torch.linear(heads, proj_weight, proj_bias)
    if not need_weights:
        weights = torch.zeros([0])
    elif average_attn_weights:
        weights = weights.mean(1)
    return result, weights

def attention(query: Tensor, key: Tensor, value: Tensor, num_head: int, qkv_weight: Tensor,
              qkv_bias: Tensor, proj_weight: Tensor, proj_bias: Tensor, mask: Optional[Tensor],
              need_weights: bool, average_attn_weights: bool,
              mask_type: Optional[int]) -> Tuple[Tensor, Tensor]:
    query_weight, key_weight, value_weight = qkv_weight.chunk(3, 0)
    query_bias, key_bias, value_bias = qkv_bias.chunk(3, 0)
    return attend(torch.linear(query, query_weight, query_bias),
                  torch.linear(key, key_weight, key_bias),
                  torch.linear(value, value_weight, value_bias), num_head, proj_weight, proj_bias,
                  mask, need_weights, average_attn_weights, mask_type)

def self_attention(query: Tensor, num_head: int, qkv_weight: Tensor, qkv_bias: Tensor,
                   proj_weight: Tensor, proj_bias: Tensor, mask: Optional[Tensor],
                   need_weights: bool, average_attn_weights: bool,
                   mask_type: Optional[int]) -> Tuple[Tensor, Tensor]:
    q, k, v = torch.linear(query, qkv_weight, qkv_bias).chunk(3, 2)
    return attend(q, k, v, num_head, proj_weight, proj_bias, mask, need_weights,
                  average_attn_weights, mask_type)

def feed_forward(x: Tensor, use_gelu: bool, ffn_weight_1: Tensor, ffn_bias_1: Tensor,
                 ffn_weight_2: Tensor, ffn_bias_2: Tensor) -> Tensor:
    hidden = torch.linear(x, ffn_weight_1, ffn_bias_1)
    if use_gelu:
        hidden = torch.gelu(hidden)
    else:
        hidden = torch.relu(hidden)
    return torch.linear(hidden, ffn_weight_2, ffn_bias_2)

def encoder_layer(src: Tensor, embed_dim: int, num_heads: int, qkv_weight: Tensor,
                  qkv_bias: Tensor, proj_weight: Tensor, proj_bias: Tensor, use_gelu: bool,
                  norm_first: bool, eps: float, norm_weight_1: Tensor, norm_bias_1: Tensor,
                  norm_weight_2: Tensor, norm_bias_2: Tensor, ffn_weight_1: Tensor,
                  ffn_bias_1: Tensor, ffn_weight_2: Tensor, ffn_bias_2: Tensor,
                  mask: Optional[Tensor], mask_type: Optional[int]) -> Tensor:
    x = src
    if norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_1, norm_bias_1, eps)
    x, _ = self_attention(x, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, False,
                          False, mask_type)
    x = src + x
    if norm_first:
        y = torch.layer_norm(x, [embed_dim], norm_weight_2, norm_bias_2, eps)
        return x + feed_forward(y, use_gelu, ffn_weight_1, ffn_bias_1, ffn_weight_2, ffn_bias_2)
    x = torch.layer_norm(x, [embed_dim], norm_weight_1, norm_bias_1, eps)
    x = x + feed_forward(x, use_gelu, ffn_weight_1, ffn_bias_1, ffn_weight_2, ffn_bias_2)
    return torch.layer_norm(x, [embed_dim], norm_weight_2, norm_bias_2, eps)
)";

bool IsFastPath(const jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  return kind == kAttention || kind == kEncoderLayer;
}

void CollectFastPaths(jit::Block& block, std::vector<jit::Node*>* nodes) {
  for (jit::Node* node : block.nodes()) {
    if (IsFastPath(*node)) nodes->push_back(node);
    for (jit::Block* inner : node->blocks()) CollectFastPaths(*inner, nodes);
  }
}

class Rewriter {
 public:
  absl::Status Rewrite(jit::Node* node) {
    const bool attention = node->kind().toQualString() == std::string(kAttention);
    const jit::Value* const query = attention ? Input(*node, "query") : nullptr;
    const bool self = attention && query == Input(*node, "key") && query == Input(*node, "value");
    jit::Function& function = Definition(!attention ? "encoder_layer"
                                         : self     ? "self_attention"
                                                    : "attention");
    const std::shared_ptr<jit::Graph> definition = jit::toGraphFunction(function).graph()->copy();
    {
      // Without, only the outermost calls would be inlined.
      const jit::GraphOptimizerEnabledGuard optimizer(true);
      jit::Inline(*definition);
    }
    std::vector<jit::Value*> arguments;
    ASSAY_RETURN_IF_ERROR(Specialize(*node, function.getSchema(), definition, &arguments));
    const jit::WithInsertPoint before(node);
    std::vector<jit::Value*> results =
        jit::insertGraph(*node->owningGraph(), *definition, arguments);
    // A function returns two values as one tuple.
    if (attention) {
      const auto unpacked = jit::createTupleUnpack(results.at(0));
      results.assign(unpacked.begin(), unpacked.end());
    }
    for (size_t i = 0; i < node->outputs().size(); ++i) {
      node->output(i)->replaceAllUsesWith(results.at(i));
    }
    node->destroy();
    return absl::OkStatus();
  }

 private:
  static jit::Value* Input(const jit::Node& node, const std::string& name) {
    const c10::FunctionSchema* const schema = node.maybeSchema();
    if (schema == nullptr) return nullptr;
    const auto index = schema->argumentIndexWithName(name);
    if (!index.has_value()) return nullptr;
    return const_cast<jit::Value*>(node.input(static_cast<size_t>(*index)));
  }

  jit::Function& Definition(const std::string& name) {
    if (definitions_ == nullptr) definitions_ = jit::compile(kDefinitions);
    return definitions_->get_function(name);
  }

  // `arguments`: those of the call that `definition` leaves open. What is constant in the call
  // (whether there is a mask, sizes, flags) is decided now, so that no branches are left.
  static absl::Status Specialize(const jit::Node& node, const c10::FunctionSchema& schema,
                                 std::shared_ptr<jit::Graph> definition,
                                 std::vector<jit::Value*>* arguments) {
    size_t open = 0;
    for (const c10::Argument& parameter : schema.arguments()) {
      jit::Value* const argument = Input(node, parameter.name());
      if (argument == nullptr) {
        return Error(Reason::kInvalidModel,
                     absl::StrCat("its ", node.kind().toQualString(), " has no argument '",
                                  parameter.name(), "' in LibTorch ", LibTorchVersion(),
                                  "; export the model with torch.backends.mha."
                                  "set_fastpath_enabled(False)"));
      }
      const auto known = jit::toIValue(argument);
      if (!known.has_value() || known->isTensor()) {
        // A mask that is a tensor is not None.
        definition->inputs()[open]->setType(argument->type());
        arguments->push_back(argument);
        ++open;
        continue;
      }
      {
        const jit::WithInsertPoint first(*definition->nodes().begin());
        definition->inputs()[open]->replaceAllUsesWith(definition->insertConstant(*known));
      }
      definition->eraseInput(open);
    }
    jit::PeepholeOptimize(definition);
    jit::ConstantPropagation(definition);
    jit::EliminateDeadCode(definition);
    return absl::OkStatus();
  }

  std::shared_ptr<jit::CompilationUnit> definitions_;
};

bool HasNoDerivative(const std::string& kind) {
  for (const char* name : {kAttention, kEncoderLayer, "aten::_triton_multi_head_attention",
                           "aten::_triton_scaled_dot_attention", "aten::quantize_per_tensor",
                           "aten::quantize_per_channel", "aten::quantize_per_tensor_dynamic"}) {
    if (kind == name) return true;
  }
  for (const char* prefix : {"quantized::", "quantized_decomposed::", "prepacked::",
                             "mkldnn_prepacked::", "prim::mkldnn_", "mkldnn::", "tensorrt::"}) {
    if (absl::StartsWith(kind, prefix)) return true;
  }
  return false;
}

// The function that `node` calls; nullptr if it is no call, or one that only the run decides.
jit::Function* CalledBy(const jit::Node& node) {
  if (node.kind() == c10::prim::CallMethod) {
    const auto type = node.input(0)->type()->cast<c10::ClassType>();
    return type == nullptr ? nullptr : type->findMethod(node.s(c10::attr::name));
  }
  if (node.kind() == c10::prim::CallFunction) {
    const auto type = node.input(0)->type()->cast<c10::FunctionType>();
    return type == nullptr ? nullptr : type->function();
  }
  return nullptr;
}

// Follows calls by itself: inlining would have LibTorch keep the code as it is now, and a rewriting
// that comes later would not be run.
class DerivativeScan {
 public:
  void Scan(jit::Function* function) {
    if (function == nullptr || !function->isGraphFunction() || !seen_.insert(function).second) {
      return;
    }
    Scan(*jit::toGraphFunction(*function).graph()->block());
  }

  std::vector<std::string> Take() { return std::move(names_); }

 private:
  void Scan(const jit::Block& block) {
    for (const jit::Node* node : block.nodes()) {
      std::string kind = node->kind().toQualString();
      if (HasNoDerivative(kind) && std::find(names_.begin(), names_.end(), kind) == names_.end()) {
        names_.push_back(std::move(kind));
      }
      Scan(CalledBy(*node));
      for (const jit::Block* inner : node->blocks()) Scan(*inner);
    }
  }

  std::set<const jit::Function*> seen_;
  std::vector<std::string> names_;
};

}  // namespace

absl::Status RewriteFastPaths(jit::Module& module) {
  return Guarded(Reason::kInvalidModel, "its attention cannot be rewritten", [&] {
    Rewriter rewriter;
    for (jit::Function* function : module._ivalue()->compilation_unit()->get_functions()) {
      if (!function->isGraphFunction()) continue;
      std::vector<jit::Node*> nodes;
      jit::GraphFunction& code = jit::toGraphFunction(*function);
      CollectFastPaths(*code.graph()->block(), &nodes);
      for (jit::Node* node : nodes) ASSAY_RETURN_IF_ERROR(rewriter.Rewrite(node));
      // Where the code was inlined before, LibTorch has kept it as it was.
      if (!nodes.empty()) code.clear_optimized_graphs();
    }
    return absl::OkStatus();
  });
}

std::vector<std::string> OperatorsWithoutDerivative(const jit::Module& module) {
  DerivativeScan scan;
  scan.Scan(module.type()->findMethod("forward"));
  return scan.Take();
}

}  // namespace assay::engine
