// ONNX files as TorchScript modules: the engine's way from what exporters write to what it attacks,
// with exact gradients and bounds.
//
// What is imported: opsets 7 to 28; the operators of onnx/operators.h; float32 (other floating
// point becomes float32, see `converted_types`); weights within the file. Whatever is not
// understood exactly is refused by its name.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_ONNX_ONNX_H_
#define ASSAY_SERVER_ENGINE_IMPORT_ONNX_ONNX_H_

#include <torch/script.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/base/classifier.h"

namespace assay::engine {

// How a module treats the batch.
enum class OnnxBatch {
  kFree,   // the file leaves it open, and the module takes any number of images
  kFreed,  // the file fixes it to one image, and the module takes any number: each image goes
           // through the operators as if it were alone, which was shown of each (onnx/value.h)
  kFixed,  // the module takes `fixed_batch` images and raises an error for other numbers
};

struct ImportedOnnx {
  // On the CPU, in eval mode: forward(images, N x C x H x W, float32) -> logits, N x K. Logits of
  // N x K x 1 x 1 lose their last axes.
  torch::jit::Module module;

  std::string producer;  // "pytorch 2.6.0", or ""
  int64_t ir_version = 0;
  int64_t opset = 0;
  std::string input_name;
  // As the file declares them; -1 where it leaves them open.
  std::vector<int64_t> input_sizes;
  // The images that the module takes; nothing in it checks that it is given such. With `nhwc` the
  // file takes N x H x W x C, and the module permutes the axes.
  Shape shape;
  bool nhwc = false;
  int64_t num_classes = 0;
  // Only the first one is imported.
  std::vector<std::string> output_names;

  OnnxBatch batch = OnnxBatch::kFree;
  int64_t fixed_batch = 0;
  // Of kFixed: which operator works across the batch; "" if the file's batch is larger than one.
  std::string fixed_because;

  // Types of floating point that became float32: FLOAT16 and BFLOAT16 are exact so but computed
  // with more precision than the file asks for, DOUBLE is rounded.
  std::set<std::string> converted_types;
};

// `shape` of the images is needed where the file leaves height and width open, or takes flat
// images; it is checked where the file says it. Without it, the file's is taken.
//
// kInvalidModel: what the file has that is not supported, by the name of operator and node, and
// what to do. kModelInputMismatch: the file takes images of another shape.
absl::StatusOr<ImportedOnnx> ImportOnnx(const std::string& path,
                                        const std::optional<Shape>& shape = std::nullopt);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_ONNX_ONNX_H_
