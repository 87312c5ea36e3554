#include "server/engine/import/onnx/onnx.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "server/engine/import/base/torch_guard.h"
#include "server/engine/import/onnx/emitter.h"
#include "server/engine/import/onnx/graph.h"
#include "server/engine/import/onnx/node.h"
#include "server/engine/import/onnx/tensor.h"
#include "server/engine/import/onnx/wire.h"

namespace assay::engine {
namespace {

using onnx::Sizes;
using onnx::Value;
namespace wire = onnx::wire;

// Limits of images, so that products of sizes stay numbers.
constexpr int64_t kLargestSide = 1 << 16;

absl::Status Invalid(absl::string_view what) { return Error(Reason::kInvalidModel, what); }

// Names come from the file, which may have anything in them.
std::string Printable(absl::string_view text) {
  std::string result(text.substr(0, 1000));
  for (char& c : result) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return result;
}

std::string ShapeText(const Sizes& sizes) {
  return absl::StrCat("[",
                      absl::StrJoin(sizes, ", ",
                                    [](std::string* out, int64_t size) {
                                      absl::StrAppend(out, size < 0 ? "?" : absl::StrCat(size));
                                    }),
                      "]");
}

// The input of the graph that has no initializer: older files name weights among the inputs too.
absl::StatusOr<wire::ValueInfoProto> FindInput(const wire::GraphProto& graph) {
  std::set<std::string> initializers;
  for (const auto& tensor : graph.initializer()) initializers.insert(tensor.name());
  std::vector<const wire::ValueInfoProto*> inputs;
  for (const wire::ValueInfoProto& input : graph.input()) {
    if (initializers.count(input.name()) == 0) inputs.push_back(&input);
  }
  if (inputs.size() == 1) return *inputs[0];
  std::vector<std::string> names;
  for (const auto* input : inputs) names.push_back(absl::StrCat("'", input->name(), "'"));
  return Invalid(
      absl::StrCat("the ONNX model has ", inputs.size(), " inputs",
                   names.empty() ? "" : absl::StrCat(" (", absl::StrJoin(names, ", "), ")"),
                   "; a classifier takes one, the images. Export it with its other "
                   "inputs as constants"));
}

// As declared, -1 where the file leaves a size open; nothing where it declares no shape.
absl::StatusOr<std::optional<Sizes>> DeclaredSizes(const wire::ValueInfoProto& input) {
  const wire::TypeProto::Tensor& type = input.type().tensor_type();
  const auto element = onnx::ElementType(type.elem_type());
  if (!element.ok() || *element != at::kFloat) {
    return Invalid(
        absl::StrCat("the input '", input.name(), "' of the ONNX model is of type ",
                     onnx::ElementTypeName(type.elem_type()),
                     "; it must be floating point, so that it has a gradient. Export the "
                     "model without the conversion from integers"));
  }
  if (!type.has_shape()) return std::optional<Sizes>();
  Sizes sizes;
  for (const auto& dimension : type.shape().dim()) {
    sizes.push_back(dimension.dim_value() > 0 ? dimension.dim_value() : -1);
    if (sizes.back() > onnx::kMostElements) return Invalid("the ONNX model's input is too large");
  }
  if (sizes.size() > 16) return Invalid("the ONNX model's input has more than 16 axes");
  return std::optional<Sizes>(std::move(sizes));
}

// What the file takes: images, and the shape in which it takes one of them.
struct InputPlan {
  Shape image;
  bool nhwc = false;
  // 0: open in the file.
  int64_t batch = 0;
  // The input for `batch` images (one if it is open); empty if it is N x C x H x W.
  Sizes flat;
};

// Whether what reads the input is a change from N x H x W x C to N x C x H x W.
bool BeginsWithTranspose(const wire::GraphProto& graph, const std::string& input) {
  bool any = false;
  for (const wire::NodeProto& node : graph.node()) {
    if (std::find(node.input().begin(), node.input().end(), input) == node.input().end()) continue;
    const bool transposes = node.op_type() == "Transpose" && node.attribute_size() == 1 &&
                            Sizes(node.attribute(0).ints().begin(),
                                  node.attribute(0).ints().end()) == Sizes{0, 3, 1, 2};
    if (!transposes) return false;
    any = true;
  }
  return any;
}

absl::Status Mismatch(const Sizes& declared, const Shape& shape) {
  return Error(
      Reason::kModelInputMismatch,
      absl::StrCat("the ONNX model takes an input of ", ShapeText(declared), ", not images of ",
                   shape.channels, "x", shape.height, "x", shape.width));
}

// Whether an input of these sizes may be images of this shape.
bool Fits(const Sizes& declared, const Sizes& image) {
  for (size_t i = 0; i < 3; ++i) {
    if (declared[i + 1] >= 0 && declared[i + 1] != image[i]) return false;
  }
  return true;
}

// Images row by row in another shape, perhaps without an axis for the batch.
absl::StatusOr<InputPlan> PlanFlat(InputPlan plan, const Sizes& sizes, const Shape& shape) {
  int64_t rest = int64_t{shape.channels} * shape.height * shape.width;
  plan.image = shape;
  plan.flat = sizes;
  if (sizes.size() < 2) plan.batch = 1;
  for (size_t i = sizes.size() < 2 ? 0 : 1; i < sizes.size(); ++i) {
    if (sizes[i] < 0) plan.flat[i] = rest;
    if (rest % plan.flat[i] != 0) return Mismatch(sizes, shape);
    rest /= plan.flat[i];
  }
  if (rest != 1 || sizes.empty()) return Mismatch(sizes, shape);
  if (sizes.size() >= 2) plan.flat[0] = std::max<int64_t>(plan.batch, 1);
  return plan;
}

absl::StatusOr<InputPlan> PlanInput(const wire::GraphProto& graph, const std::string& name,
                                    const std::optional<Sizes>& declared,
                                    const std::optional<Shape>& shape) {
  InputPlan plan;
  if (!declared.has_value()) {
    if (!shape.has_value()) {
      return Invalid("the ONNX model does not say the shape of its input; give that of the images");
    }
    plan.image = *shape;
    return plan;
  }
  const Sizes& sizes = *declared;
  plan.batch = sizes.empty() ? 1 : std::max<int64_t>(sizes[0], 0);
  if (sizes.size() == 4) {
    const auto few = [](int64_t channels) { return channels == 1 || channels == 3; };
    plan.nhwc = few(sizes[3]) && !few(sizes[1])
                    ? true
                    : BeginsWithTranspose(graph, name) && !(few(sizes[1]) && !few(sizes[3]));
    if (shape.has_value()) {
      const Sizes nchw = {shape->channels, shape->height, shape->width};
      const Sizes nhwc = {shape->height, shape->width, shape->channels};
      // The images decide where only one of the two is possible.
      const bool may_be_nchw = Fits(sizes, nchw), may_be_nhwc = Fits(sizes, nhwc);
      if (may_be_nchw || may_be_nhwc) {
        if (may_be_nchw != may_be_nhwc) plan.nhwc = may_be_nhwc;
        plan.image = *shape;
        return plan;
      }
      plan.nhwc = false;
      return PlanFlat(std::move(plan), sizes, *shape);
    }
    const Sizes image =
        plan.nhwc ? Sizes{sizes[3], sizes[1], sizes[2]} : Sizes{sizes[1], sizes[2], sizes[3]};
    for (const int64_t size : image) {
      if (size < 0) {
        return Invalid(absl::StrCat("the ONNX model takes an input of ", ShapeText(sizes),
                                    ", which leaves open what images it is for; give their shape"));
      }
      if (size > kLargestSide) return Invalid("the ONNX model's images are too large");
    }
    plan.image = {static_cast<int>(image[0]), static_cast<int>(image[1]),
                  static_cast<int>(image[2])};
    return plan;
  }
  if (!shape.has_value()) {
    return Invalid(absl::StrCat("the ONNX model takes an input of ", ShapeText(sizes),
                                " and not N x C x H x W; give the shape of the images"));
  }
  return PlanFlat(std::move(plan), sizes, *shape);
}

// The module for any number of images (`batch` 0) or exactly `batch`.
absl::Status ImportFor(int64_t batch, const wire::ModelProto& model, const InputPlan& plan,
                       ImportedOnnx& result, bool& mixes_images) {
  onnx::Emitter emitter(batch, plan.image.channels, plan.image.height, plan.image.width);
  // What is done to images and logits, beside the file's own operators.
  wire::NodeProto proto;
  proto.set_op_type("input or output");
  proto.set_name(result.input_name);
  onnx::Node border(proto, onnx::kNewestOpset, {}, onnx::Attributes({}), emitter);
  const auto import = [&]() -> absl::Status {
    Value images = emitter.images();
    if (plan.nhwc) {
      ASSAY_ASSIGN_OR_RETURN(images, border.Permute(images, {0, 2, 3, 1}));
    } else if (!plan.flat.empty()) {
      ASSAY_ASSIGN_OR_RETURN(images, border.Reshape(images, plan.flat));
    }
    onnx::GraphResult graph =
        onnx::ImportGraph(model, result.input_name, images, result.output_names[0], emitter);
    mixes_images = graph.mixes_images;
    ASSAY_ASSIGN_OR_RETURN(const Value output, std::move(graph.output));
    result.converted_types = std::move(graph.converted_types);
    if (output.constant())
      return Invalid("the output of the ONNX model does not depend on its input");
    if (!output.floating_point()) {
      return Invalid(absl::StrCat("the output '", result.output_names[0],
                                  "' of the ONNX model is of integers, such as predicted labels; "
                                  "export the model with its logits as the first output"));
    }
    const int64_t rows = batch == 0 ? 1 : batch;
    const auto large = std::count_if(output.sizes.begin() + (output.rank() > 1 ? 1 : 0),
                                     output.sizes.end(), [](int64_t size) { return size > 1; });
    const int64_t count = onnx::Emitter::Count(output.sizes);
    if (output.rank() < 1 || large > 1 || count % rows != 0 ||
        (output.rank() > 1 && output.size(0) != rows)) {
      return Error(
          Reason::kModelOutputInvalid,
          absl::StrCat("the output '", result.output_names[0], "' of the ONNX model has the shape ",
                       ShapeText(output.sizes), " for ", rows, rows == 1 ? " image" : " images",
                       "; a classifier's has one row of logits for each image"));
    }
    ASSAY_ASSIGN_OR_RETURN(const Value logits, border.Reshape(output, {rows, count / rows}));
    if (batch == 0 && logits.batch_axis != 0) return border.MixesImages("its output");
    result.num_classes = count / rows;
    result.module = std::move(emitter).Build(logits);
    return absl::OkStatus();
  };
  const absl::Status status = import();
  mixes_images = mixes_images || border.mixes_images();
  return status;
}

absl::StatusOr<ImportedOnnx> Import(const wire::ModelProto& model,
                                    const std::optional<Shape>& shape) {
  const wire::GraphProto& graph = model.graph();
  ImportedOnnx result;
  result.ir_version = model.ir_version();
  result.opset = onnx::OpsetOf(model, "");
  result.producer = model.producer_name();
  if (!model.producer_version().empty()) {
    absl::StrAppend(&result.producer, " ", model.producer_version());
  }
  if (result.opset < onnx::kOldestOpset || result.opset > onnx::kNewestOpset) {
    return Invalid(absl::StrCat("the ONNX model uses opset ", result.opset,
                                " of ONNX's operators; ", onnx::kOldestOpset, " to ",
                                onnx::kNewestOpset,
                                " are supported. Export it for one of them (opset_version=18)"));
  }
  if (graph.output().empty()) return Invalid("the ONNX model has no output");
  for (const auto& output : graph.output()) result.output_names.push_back(output.name());
  ASSAY_ASSIGN_OR_RETURN(const wire::ValueInfoProto input, FindInput(graph));
  result.input_name = input.name();
  ASSAY_ASSIGN_OR_RETURN(const std::optional<Sizes> declared, DeclaredSizes(input));
  ASSAY_ASSIGN_OR_RETURN(const InputPlan plan,
                         PlanInput(graph, result.input_name, declared, shape));
  if (plan.batch > (1 << 16)) return Invalid("the ONNX model's batch is too large");
  result.input_sizes = declared.value_or(Sizes());
  result.shape = plan.image;
  result.nhwc = plan.nhwc;
  bool mixes_images = false;
  if (plan.batch <= 1) {
    const absl::Status status = ImportFor(0, model, plan, result, mixes_images);
    if (status.ok()) {
      result.batch = plan.batch == 0 ? OnnxBatch::kFree : OnnxBatch::kFreed;
      return result;
    }
    if (!mixes_images) return status;
    result.fixed_because = std::string(status.message());
  }
  result.batch = OnnxBatch::kFixed;
  result.fixed_batch = std::max<int64_t>(plan.batch, 1);
  ASSAY_RETURN_IF_ERROR(ImportFor(result.fixed_batch, model, plan, result, mixes_images));
  return result;
}

}  // namespace

absl::StatusOr<ImportedOnnx> ImportOnnx(const std::string& path,
                                        const std::optional<Shape>& shape) {
  ASSAY_ASSIGN_OR_RETURN(const wire::ModelProto model, onnx::ReadModel(path));
  absl::StatusOr<ImportedOnnx> result = absl::UnknownError("not imported");
  const absl::Status status =
      Guarded(Reason::kInvalidModel, "the ONNX model cannot be imported", [&] {
        result = Import(model, shape);
        return result.status();
      });
  if (!status.ok()) return WithMessage(status, Printable(status.message()));
  result->producer = Printable(result->producer);
  result->input_name = Printable(result->input_name);
  for (std::string& name : result->output_names) name = Printable(name);
  result->fixed_because = Printable(result->fixed_because);
  return result;
}

}  // namespace assay::engine
