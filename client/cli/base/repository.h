// How the model repository is shown.
#ifndef ASSAY_CLIENT_CLI_BASE_REPOSITORY_H_
#define ASSAY_CLIENT_CLI_BASE_REPOSITORY_H_

#include <vector>

#include "absl/status/status.h"
#include "assay/v1/repository.pb.h"
#include "client/cli/base/session.h"

namespace assay::cli {

absl::Status PrintSync(Session& session, const v1::SyncModelRepositoryResponse& found);
// With accuracies and gates where there are some: of one model.
absl::Status PrintVersions(Session& session, const std::vector<v1::RepositoryVersion>& versions);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_REPOSITORY_H_
