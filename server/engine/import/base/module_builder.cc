#include "server/engine/import/base/module_builder.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace assay::engine {

namespace jit = torch::jit;

ModuleBuilder::ModuleBuilder()
    : module_("__torch__.ImportedModel"), graph_(std::make_shared<jit::Graph>()) {
  // Only modules that say that they do not train can be frozen.
  module_.register_attribute("training", c10::BoolType::get(), false);
  self_ = graph_->addInput("self");
  self_->setType(module_._ivalue()->type());
  images_ = graph_->addInput("images");
  images_->setType(c10::TensorType::get());
}

jit::Value* ModuleBuilder::Tensor(const std::string& name, const at::Tensor& tensor, bool buffer) {
  // Files may have names of any length.
  std::string base = name.substr(0, 200);
  for (char& c : base) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  if (base.empty() || absl::ascii_isdigit(static_cast<unsigned char>(base[0]))) base.insert(0, "_");
  std::string unique = base;
  while (module_.hasattr(unique)) unique = absl::StrCat(base, "_", ++names_[base]);
  if (tensor.is_floating_point() && !buffer) {
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
  jit::EliminateDeadCode(graph_);
  auto function = module_._ivalue()->compilation_unit()->create_function(
      c10::QualifiedName(*module_.type()->name(), "forward"), graph_);
  module_.type()->addMethod(function);
  return std::move(module_);
}

}  // namespace assay::engine
