#include "server/engine/import/onnx/wire.h"

#include <google/protobuf/io/zero_copy_stream_impl.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine::onnx {
namespace {

// Protocol buffers end here.
constexpr uint64_t kLargestFile = (uint64_t{1} << 31) - 1;

}  // namespace

absl::StatusOr<wire::ModelProto> ReadModel(const std::string& path) {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  std::ifstream in(path, std::ios::binary);
  if (error || !in) {
    return Error(Reason::kInvalidModel, absl::StrCat("cannot read '", path, "'")).ToStatus();
  }
  if (size > kLargestFile) {
    return Error(Reason::kInvalidModel, "an ONNX file of 2 GiB or more cannot be valid").ToStatus();
  }
  google::protobuf::io::IstreamInputStream stream(&in);
  wire::ModelProto model;
  if (!model.ParseFromZeroCopyStream(&stream)) {
    return Error(Reason::kInvalidModel,
                 "the ONNX file is damaged: it ends early or its bytes are no ONNX model. Copy or "
                 "export it again, and check it with onnx.checker.check_model")
        .ToStatus();
  }
  if (!model.has_graph() || model.graph().node().empty()) {
    return Error(Reason::kInvalidModel, "the ONNX file has no graph of operators").ToStatus();
  }
  return model;
}

}  // namespace assay::engine::onnx
