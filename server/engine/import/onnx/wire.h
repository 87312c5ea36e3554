// ONNX files as bytes: what is one, and its messages (proto/assay/import/onnx.proto).
#ifndef ASSAY_SERVER_ENGINE_IMPORT_ONNX_WIRE_H_
#define ASSAY_SERVER_ENGINE_IMPORT_ONNX_WIRE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "assay/import/onnx.pb.h"

namespace assay::engine::onnx {

namespace wire = ::assay::onnx;

// The versions of ONNX's operators (domain "ai.onnx") that are understood. 7 is where broadcasting
// became what it is today.
constexpr int64_t kOldestOpset = 7;
constexpr int64_t kNewestOpset = 28;

// kInvalidModel: the file is damaged or no ONNX model.
absl::StatusOr<wire::ModelProto> ReadModel(const std::string& path);

// The version of the operators of `domain` that is imported; 0: none.
template <typename Message>
int64_t OpsetOf(const Message& message, const std::string& domain) {
  for (const wire::OperatorSetIdProto& set : message.opset_import()) {
    // "ai.onnx" is the long name of the domain "".
    const std::string& name = set.domain();
    if (name == domain || (domain.empty() && name == "ai.onnx")) return set.version();
  }
  return 0;
}

}  // namespace assay::engine::onnx

#endif  // ASSAY_SERVER_ENGINE_IMPORT_ONNX_WIRE_H_
