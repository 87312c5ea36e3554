#include "server/engine/import/read_model.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/models/file_format.h"
#include "server/engine/import/apply_interface.h"
#include "server/engine/import/base/torch_guard.h"
#include "server/engine/import/exported_program.h"
#include "server/engine/import/missing_operators.h"
#include "server/engine/import/model_view.h"
#include "server/engine/import/onnx/onnx.h"
#include "server/engine/import/rewrite_detach.h"
#include "server/engine/import/rewrite_devices.h"
#include "server/engine/import/rewrite_fast_paths.h"
#include "server/engine/import/select_output.h"
#include "server/engine/import/torchscript.h"

namespace assay::engine {
namespace {

constexpr char kUnreadable[] = "its code cannot be read";

// The first node of `block`, at any depth, that `is` picks; nullptr without.
template <typename Is>
const torch::jit::Node* FindNode(const torch::jit::Block& block, const Is& is) {
  for (const torch::jit::Node* node : block.nodes()) {
    if (is(*node)) return node;
    for (const torch::jit::Block* inner : node->blocks()) {
      if (const torch::jit::Node* found = FindNode(*inner, is)) return found;
    }
  }
  return nullptr;
}

bool CallsAutograd(const torch::jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  return kind == "aten::grad" || kind == "aten::backward";
}

// Batch norm, dropout and their like take whether they train as an argument. In a script it is an
// attribute that eval() sets; a trace has the constant that it saw.
bool AlwaysTrains(const torch::jit::Node& node) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return false;
  for (const char* name : {"training", "train"}) {
    const auto index = schema->argumentIndexWithName(name);
    if (!index.has_value() || *index >= static_cast<int>(node.inputs().size())) continue;
    const auto value = torch::jit::toIValue(node.input(static_cast<size_t>(*index)));
    if (value.has_value() && value->isBool() && value->toBool()) return true;
  }
  return false;
}

absl::Status FindAutograd(ImportedModel& model) {
  return Guarded(Reason::kInvalidModel, kUnreadable, [&] {
    for (torch::jit::Function* function :
         model.module._ivalue()->compilation_unit()->get_functions()) {
      if (!function->isGraphFunction()) continue;
      const auto graph = torch::jit::toGraphFunction(*function).graph();
      if (FindNode(*graph->block(), CallsAutograd) == nullptr) continue;
      model.autograd_in = function->name();
      break;
    }
    return absl::OkStatus();
  });
}

absl::Status ReadForward(ImportedModel& model) {
  return Guarded(Reason::kInvalidModel, kUnreadable, [&] {
    const std::shared_ptr<torch::jit::Graph> graph =
        model.module.get_method("forward").graph()->copy();
    // Calls are inlined only where the optimizer is on.
    const torch::jit::GraphOptimizerEnabledGuard optimizer(true);
    torch::jit::Inline(*graph);
    if (const torch::jit::Node* node = FindNode(*graph->block(), AlwaysTrains)) {
      model.training_in = node->kind().toQualString();
    }
    // The first input is the module.
    model.writes_to_input =
        graph->inputs().size() > 1 && torch::jit::AliasDb(graph).hasWriters(graph->inputs()[1]);
    return absl::OkStatus();
  });
}

// What the model gets of images of `shape`.
Shape ShapeInside(const v1::ModelInterface& interface, Shape shape) {
  if (interface.resize_height() > 0) {
    shape.height = interface.resize_height();
    shape.width = interface.resize_width();
  }
  return shape;
}

void DescribeOnnx(const ImportedOnnx& onnx, ImportedModel& model) {
  model.format =
      absl::StrCat("ONNX, opset ", onnx.opset, onnx.producer.empty() ? "" : ", of ", onnx.producer);
  // The import turns the axes by itself.
  if (onnx.nhwc) model.interface.clear_layout();
  if (onnx.batch == OnnxBatch::kFreed) {
    absl::StrAppend(&model.format, ", its batch of one image freed");
  } else if (onnx.batch == OnnxBatch::kFixed) {
    absl::StrAppend(&model.format, ", batches of ", onnx.fixed_batch);
    if (!onnx.fixed_because.empty()) {
      model.notes.push_back(absl::StrCat("its batch of ", onnx.fixed_batch,
                                         " cannot be freed, since its ", onnx.fixed_because,
                                         " works across the batch; it is run image by image"));
    }
  }
  if (onnx.output_names.size() > 1) {
    model.notes.push_back(absl::StrCat("of its ", onnx.output_names.size(), " outputs '",
                                       onnx.output_names[0], "' is taken for the logits"));
  }
  if (!onnx.converted_types.empty()) {
    model.notes.push_back(absl::StrCat("computed in float32 where it has ",
                                       absl::StrJoin(onnx.converted_types, ", ")));
  }
}

absl::Status ReadFormat(const std::string& path, const Shape& shape, const at::Device& device,
                        ImportedModel& model) {
  RegisterMissingOperators();
  const FileExplanation file = ExplainFile(path);
  switch (file.format) {
    case FileFormat::kTorchScript: {
      ASSAY_ASSIGN_OR_RETURN(model.module, ReadTorchScript(path, device));
      model.format = "TorchScript";
      model.saved_in_training_mode = model.module.is_training();
      return RewriteDevices(model.module, device);
    }
    case FileFormat::kExportedProgram: {
      ExportedProgramInfo info;
      ASSAY_ASSIGN_OR_RETURN(model.module, ImportExportedProgram(path, &info));
      model.format =
          absl::StrCat("exported program", info.writer.empty() ? "" : " of ", info.writer);
      break;
    }
    case FileFormat::kOnnx: {
      ASSAY_ASSIGN_OR_RETURN(ImportedOnnx onnx,
                             ImportOnnx(path, ShapeInside(model.interface, shape)));
      DescribeOnnx(onnx, model);
      model.module = std::move(onnx.module);
      break;
    }
    case FileFormat::kOther:
      return Error(Reason::kInvalidModel,
                   absl::StrCat("the file is not a model that can be loaded: ", file.message));
  }
  return Guarded(Reason::kInvalidModel, "its weights cannot be moved to the device", [&] {
    model.module.to(device);
    return absl::OkStatus();
  });
}

// Models that return several tensors are asked which.
absl::Status CheckOutput(const torch::jit::Module& module) {
  const std::string output = DescribeOutput(module);
  if (output.empty()) return absl::OkStatus();
  return Error(
      Reason::kModelOutputInvalid,
      absl::StrCat("the model returns ", output,
                   "; say which entry has the logits: --model-output key=NAME or index=I"));
}

}  // namespace

absl::StatusOr<ImportedModel> ReadModel(const std::string& path, const Shape& shape,
                                        const at::Device& device) {
  ASSAY_ASSIGN_OR_RETURN(const ModelView view, ModelView::Open(path));
  ImportedModel model;
  model.interface = view.interface();
  ASSAY_RETURN_IF_ERROR(ReadFormat(view.path(), shape, device, model));
  model.module.eval();
  for (at::Tensor parameter : model.module.parameters()) parameter.requires_grad_(false);
  ASSAY_RETURN_IF_ERROR(RewriteFastPaths(model.module));
  ASSAY_RETURN_IF_ERROR(RewriteDetach(model.module));
  ASSAY_RETURN_IF_ERROR(FindAutograd(model));
  if (model.interface.ByteSizeLong() > 0) {
    ASSAY_ASSIGN_OR_RETURN(model.module, ApplyInterface(model.interface, model.module));
  }
  ASSAY_RETURN_IF_ERROR(CheckOutput(model.module));
  const std::vector<std::string> blunt = OperatorsWithoutDerivative(model.module);
  if (!blunt.empty()) {
    model.notes.push_back(absl::StrCat("what goes through its ", absl::StrJoin(blunt, ", "),
                                       " has no derivative: gradients end there"));
  }
  ASSAY_RETURN_IF_ERROR(ReadForward(model));
  return model;
}

}  // namespace assay::engine
