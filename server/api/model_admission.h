// A first look at an uploaded file, before any LibTorch code sees it: is it a TorchScript archive
// at all?
#ifndef ASSAY_SERVER_API_MODEL_ADMISSION_H_
#define ASSAY_SERVER_API_MODEL_ADMISSION_H_

#include <string>

#include "absl/status/status.h"

namespace assay::api {

// kInvalidModel says what the file is instead, where that can be told: truncated, a checkpoint of
// weights, something else.
absl::Status CheckTorchScriptFile(const std::string& path);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_MODEL_ADMISSION_H_
