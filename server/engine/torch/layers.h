// Layers of a model whose answers can be had beside its logits: submodules by their names, and
// "penultimate" (penultimate.h). Private to the files that include LibTorch.
#ifndef ASSAY_SERVER_ENGINE_TORCH_LAYERS_H_
#define ASSAY_SERVER_ENGINE_TORCH_LAYERS_H_

#include <torch/script.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace assay::engine {

// Copies of a module that return the answers of layers instead of logits. May throw what LibTorch
// throws; call within Guarded (import/base/torch_guard.h).
class Layers {
 public:
  // `module`, in evaluation mode, is not changed; neither is `frozen`, a form of it that gives the
  // same logits (or `module` itself), in which the last linear layer is looked for. `inside`: the
  // submodule that is the model as its file has it ("": all of it), in which names begin.
  Layers(const torch::jit::Module& module, const torch::jit::Module& frozen, std::string inside)
      : module_(module), frozen_(frozen), inside_(std::move(inside)) {}

  // In the order of a pass, "penultimate" first where it can be had: every submodule that is called
  // once in a pass, on no condition, and returns one tensor.
  std::vector<std::string> Names() const;

  // A module that returns a tuple of the tensors of these layers, which Names() has; kPenultimate
  // is not among them.
  torch::jit::Module Returning(const std::vector<std::string>& names) const;

  // A module that returns the tensor of one layer: for kPenultimate a copy of `frozen`, else of
  // `module`. kInvalidArgument says why there is none, and what names there are.
  absl::StatusOr<torch::jit::Module> Returning(const std::string& name) const;

 private:
  absl::Status Refuse(const std::string& name) const;

  const torch::jit::Module module_, frozen_;
  const std::string inside_;
};

// The same as the module, which returns a tensor N x ..., but returns it as N x numbers. The module
// may have run: what has run does not change any more.
torch::jit::Module FlattenOutput(const torch::jit::Module& module);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_LAYERS_H_
