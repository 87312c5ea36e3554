// How datasets are shown.
#ifndef ASSAY_CLIENT_CLI_BASE_DATASETS_H_
#define ASSAY_CLIENT_CLI_BASE_DATASETS_H_

#include <vector>

#include "absl/status/status.h"
#include "assay/v1/datasets.pb.h"
#include "client/cli/base/session.h"

namespace assay::cli {

absl::Status PrintDataset(Session& session, const v1::Dataset& dataset);
absl::Status PrintDatasets(Session& session, const std::vector<v1::Dataset>& datasets);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_DATASETS_H_
