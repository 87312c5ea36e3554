// A TorchScript module that is built operator by operator, for models that come in another format.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_BASE_MODULE_BUILDER_H_
#define ASSAY_SERVER_ENGINE_IMPORT_BASE_MODULE_BUILDER_H_

#include <torch/script.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace assay::engine {

// Methods throw what LibTorch throws; call them where that is caught (torch_module.h: Guarded).
//
//   ModuleBuilder builder;
//   torch::jit::Value* weight = builder.Tensor("conv.weight", tensor);
//   torch::jit::Value* y = builder.Call("aten::conv2d", {builder.images(), weight}, {});
//   torch::jit::Module module = std::move(builder).Build(y);
class ModuleBuilder {
 public:
  ModuleBuilder();

  torch::jit::Graph& graph() { return *graph_; }
  // The argument of `forward`: N x C x H x W, float32.
  torch::jit::Value* images() const { return images_; }

  // A tensor that the module holds, a parameter if it is of floating point and not said to be a
  // buffer. `name` may be any text: what is no letter or digit becomes "_", and names that are
  // taken get a number.
  torch::jit::Value* Tensor(const std::string& name, const at::Tensor& tensor, bool buffer = false);
  torch::jit::Value* Constant(const c10::IValue& value);

  // The result of an operator, its overload chosen by the arguments, what is left out as the
  // operator's schema says. Throws where no overload takes these arguments.
  torch::jit::Value* Call(const std::string& name, const std::vector<torch::jit::NamedValue>& args,
                          const std::vector<torch::jit::NamedValue>& kwargs = {});

  // Puts `node`, of the graph's own making and with one output, behind what is there.
  torch::jit::Value* Insert(torch::jit::Node* node) { return graph_->insertNode(node)->output(); }

  // Once.
  torch::jit::Module Build(torch::jit::Value* logits) &&;

 private:
  torch::jit::Module module_;
  std::shared_ptr<torch::jit::Graph> graph_;
  torch::jit::Value* self_;
  torch::jit::Value* images_;
  // The last number given to a name that was taken.
  std::map<std::string, int> names_;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_BASE_MODULE_BUILDER_H_
