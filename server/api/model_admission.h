// A first look at an uploaded file, before any LibTorch code sees it: is it a model at all?
#ifndef ASSAY_SERVER_API_MODEL_ADMISSION_H_
#define ASSAY_SERVER_API_MODEL_ADMISSION_H_

#include <string>

#include "absl/status/status.h"

namespace assay::api {

// kInvalidModel says what the file is instead, and what to do.
absl::Status CheckModelFile(const std::string& path);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_MODEL_ADMISSION_H_
