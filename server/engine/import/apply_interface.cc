#include "server/engine/import/apply_interface.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/errors.h"
#include "core/models/model_interface.h"
#include "server/engine/import/base/torch_guard.h"
#include "server/engine/import/select_output.h"

namespace assay::engine {
namespace {

using v1::ModelInterface;

at::Tensor PerChannel(const google::protobuf::RepeatedField<float>& values) {
  at::Tensor tensor = at::empty({1, values.size(), 1, 1}, at::kFloat);
  std::copy(values.begin(), values.end(), tensor.data_ptr<float>());
  return tensor;
}

// All digits of a float.
std::string Number(double value) { return absl::StrFormat("%.9e", value); }

// In the language of TorchScript.
std::string Source(const ModelInterface& interface) {
  std::string source = "def forward(self, x):\n";
  const auto line = [&source](const auto&... parts) {
    absl::StrAppend(&source, "  ", parts..., "\n");
  };
  if (interface.resize_height() > 0) {
    line("x = torch.upsample_bilinear2d(x, [", interface.resize_height(), ", ",
         interface.resize_width(), "], False)");
  }
  if (interface.has_range_low()) {
    line("x = torch.add(torch.mul(x, ",
         Number(double{interface.range_high()} - double{interface.range_low()}), "), ",
         Number(interface.range_low()), ")");
  }
  if (!interface.mean().empty()) line("x = torch.div(torch.sub(x, self.mean), self.std)");
  if (interface.channels() == ModelInterface::BGR) line("x = torch.flip(x, [1])");
  if (interface.layout() == ModelInterface::NHWC) line("x = torch.permute(x, [0, 2, 3, 1])");
  line("z = self.model.forward(x)");
  if (interface.output() == ModelInterface::PROBABILITIES) {
    line("z = torch.log(torch.clamp_min(z, ", Number(double{std::numeric_limits<float>::min()}),
         "))");
  } else if (interface.output() == ModelInterface::BINARY_LOGIT) {
    line("z = torch.reshape(z, [-1, 1])");
    line("z = torch.cat([torch.zeros_like(z), z], 1)");
  }
  line("return z");
  return source;
}

}  // namespace

absl::StatusOr<torch::jit::Module> ApplyInterface(const ModelInterface& interface,
                                                  torch::jit::Module model) {
  if (interface.has_output_key()) {
    ASSAY_RETURN_IF_ERROR(SelectOutput(model, interface.output_key()));
  } else if (interface.has_output_index()) {
    ASSAY_RETURN_IF_ERROR(SelectOutput(model, int64_t{interface.output_index()}));
  }
  torch::jit::Module wrapped("ModelWithInterface");
  ASSAY_RETURN_IF_ERROR(Guarded(Reason::kModelOutputInvalid,
                                absl::StrCat("the model has no output as its interface says (",
                                             ModelInterfaceText(interface), ")"),
                                [&] {
                                  wrapped.register_module("model", model);
                                  if (!interface.mean().empty()) {
                                    wrapped.register_buffer("mean", PerChannel(interface.mean()));
                                    wrapped.register_buffer("std", PerChannel(interface.std()));
                                  }
                                  wrapped.define(Source(interface));
                                  return absl::OkStatus();
                                }));
  return wrapped;
}

}  // namespace assay::engine
