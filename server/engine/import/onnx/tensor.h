// Tensors of ONNX files (TensorProto) as tensors of LibTorch.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_ONNX_TENSOR_H_
#define ASSAY_SERVER_ENGINE_IMPORT_ONNX_TENSOR_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "server/engine/import/onnx/wire.h"

namespace assay::engine::onnx {

// No tensor that depends on one image alone, and no constant, has more elements.
constexpr int64_t kMostElements = int64_t{1} << 28;

// The name of an element type of ONNX, such as "FLOAT16"; "type 77" where there is none.
std::string ElementTypeName(int32_t type);

// The type that elements of ONNX's `type` have after import: modules are float32, so other floating
// point becomes that. kInvalidModel for text, complex numbers, quantised types and the unsigned
// integers that LibTorch does not have.
absl::StatusOr<at::ScalarType> ElementType(int32_t type);

// Whether elements of this type are rounded or widened to float32.
bool IsOtherFloat(int32_t type);

// A copy. kInvalidModel where the data is elsewhere, or of another size than the shape says.
absl::StatusOr<at::Tensor> ToTensor(const wire::TensorProto& proto);

}  // namespace assay::engine::onnx

#endif  // ASSAY_SERVER_ENGINE_IMPORT_ONNX_TENSOR_H_
