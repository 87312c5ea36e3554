// How models are shown.
#ifndef ASSAY_CLIENT_CLI_BASE_MODELS_H_
#define ASSAY_CLIENT_CLI_BASE_MODELS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/models.pb.h"
#include "client/cli/base/session.h"

namespace assay::cli {

// "3x32x32"; kInvalidArgument for --shape.
absl::StatusOr<v1::ImageShape> ParseShape(const std::string& text);

absl::Status PrintModel(Session& session, const v1::Model& model);
absl::Status PrintModels(Session& session, const std::vector<v1::Model>& models);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_MODELS_H_
