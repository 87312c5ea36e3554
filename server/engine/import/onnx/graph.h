// The graph of an ONNX file, walked once: its nodes in order, with the branches of If whose
// condition is known and the functions of the file taken apart.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_ONNX_GRAPH_H_
#define ASSAY_SERVER_ENGINE_IMPORT_ONNX_GRAPH_H_

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "server/engine/import/onnx/emitter.h"
#include "server/engine/import/onnx/value.h"
#include "server/engine/import/onnx/wire.h"

namespace assay::engine::onnx {

struct GraphResult {
  absl::StatusOr<Value> output;
  // The graph cannot be imported with its batch freed (value.h); `output` says why.
  bool mixes_images = false;
  // Of the constants and casts that were read: types of floating point that became float32.
  std::set<std::string> converted_types;
};

// The value of `output`, a name, where the input `input` of the model's graph is `images`. Throws
// what LibTorch throws.
GraphResult ImportGraph(const wire::ModelProto& model, const std::string& input,
                        const Value& images, const std::string& output, Emitter& emitter);

}  // namespace assay::engine::onnx

#endif  // ASSAY_SERVER_ENGINE_IMPORT_ONNX_GRAPH_H_
