// Which library multiplies LibTorch's matrices.
#ifndef ASSAY_SERVER_ENGINE_TORCH_BLAS_H_
#define ASSAY_SERVER_ENGINE_TORCH_BLAS_H_

#include <string>

#include "absl/strings/string_view.h"

namespace assay::engine {

// The file of the BLAS that this process calls; empty where it is part of LibTorch or there is
// none.
std::string BlasLibrary();

// Whether `file` is the reference implementation, which is tens of times slower than any other: on
// Debian it is what is there unless a better one is installed.
bool IsReferenceBlas(absl::string_view file);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_BLAS_H_
