#include "server/engine/import/module_builder.h"

#include <torch/csrc/jit/api/function_impl.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace assay::engine {

namespace jit = torch::jit;

ModuleBuilder::ModuleBuilder()
    : module_("ImportedModel"), graph_(std::make_shared<jit::Graph>()) {
  self_ = graph_->addInput("self");
  self_->setType(module_._ivalue()->type());
  images_ = graph_->addInput("images");
  images_->setType(c10::TensorType::get());
}

jit::Value* ModuleBuilder::Tensor(const std::string& name, const at::Tensor& tensor) {
  const std::string base = absl::StrReplaceAll(name, {{".", "_"}, {"/", "_"}, {":", "_"}});
  std::string unique = base;
  for (int i = 1; module_.hasattr(unique); ++i) unique = absl::StrCat(base, "_", i);
  if (tensor.is_floating_point()) {
    module_.register_parameter(unique, tensor, /*is_buffer=*/false);
  } else {
    module_.register_buffer(unique, tensor);
  }
  jit::Value* value = graph_->insertGetAttr(self_, unique);
  value->setType(c10::TensorType::get());
  return value;
}

jit::Value* ModuleBuilder::Constant(const c10::IValue& value) {
  return graph_->insertConstant(value);
}

jit::Value* ModuleBuilder::Call(const std::string& name, const std::vector<jit::NamedValue>& args,
                                const std::vector<jit::NamedValue>& kwargs) {
  return graph_->insert(c10::Symbol::fromQualString(name), args, kwargs);
}

jit::Module ModuleBuilder::Build(jit::Value* logits) && {
  graph_->registerOutput(logits);
  auto function = module_._ivalue()->compilation_unit()->create_function(
      c10::QualifiedName(*module_.type()->name(), "forward"), graph_);
  module_.type()->addMethod(function);
  return std::move(module_);
}

}  // namespace assay::engine
