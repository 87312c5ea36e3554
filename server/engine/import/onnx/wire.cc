#include "server/engine/import/onnx/wire.h"

#include <google/protobuf/io/zero_copy_stream_impl.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine::onnx {
namespace {

// Protocol buffers end here.
constexpr uint64_t kLargestFile = (uint64_t{1} << 31) - 1;

// A number of 7 bits a byte.
std::optional<uint64_t> ReadVarint(std::istream& in) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const int byte = in.get();
    if (byte == std::istream::traits_type::eof()) return std::nullopt;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

}  // namespace

bool LooksLikeOnnx(const std::string& path) {
  constexpr uint64_t kVarint = 0, kBytes = 2;
  constexpr uint64_t kIrVersion = 1, kModelVersion = 5, kGraph = 7;
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  std::ifstream in(path, std::ios::binary);
  if (error || !in) return false;
  bool graph = false, version = false;
  // A model has a dozen fields; many opsets, functions or metadata make it more.
  for (int fields = 0; fields < 10000; ++fields) {
    const auto position = static_cast<uint64_t>(in.tellg());
    if (position == size) return graph && version;
    const auto tag = ReadVarint(in);
    // A file that ends early is a damaged model rather than none.
    if (!tag.has_value()) return graph && version;
    const uint64_t field = *tag >> 3, type = *tag & 7;
    const bool number = field == kIrVersion || field == kModelVersion;
    if (field == 0 || field > 40 || type != (number ? kVarint : kBytes)) return false;
    const auto value = ReadVarint(in);
    if (!value.has_value()) return graph && version;
    version = version || field == kIrVersion;
    graph = graph || field == kGraph;
    if (number) continue;
    const auto begin = static_cast<uint64_t>(in.tellg());
    if (*value > size - begin) return graph;
    in.seekg(static_cast<std::streamoff>(begin + *value));
  }
  return graph && version;
}

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
