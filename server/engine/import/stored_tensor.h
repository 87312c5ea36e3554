// Tensors over the bytes that a file holds for them.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_STORED_TENSOR_H_
#define ASSAY_SERVER_ENGINE_IMPORT_STORED_TENSOR_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/models/zip_archive.h"

namespace assay::engine {

// The bytes of a record, as uint8.
absl::StatusOr<at::Tensor> ReadBytes(ZipArchive& archive, const std::string& record);

// The tensor that lies in `bytes`, whose memory it shares, from element `offset` on; strides count
// elements. An error (kInvalidModel) if it reaches beyond them; `name` is for its text.
absl::StatusOr<at::Tensor> TensorInBytes(const std::string& name, const at::Tensor& bytes,
                                         c10::ScalarType type, int64_t offset,
                                         const std::vector<int64_t>& sizes,
                                         const std::vector<int64_t>& strides);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_STORED_TENSOR_H_
