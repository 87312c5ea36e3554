// Outcomes of an evaluation as a CSV file.
#ifndef ASSAY_CLIENT_CLI_BASE_OUTCOMES_H_
#define ASSAY_CLIENT_CLI_BASE_OUTCOMES_H_

#include <string>

#include "absl/status/status.h"
#include "assay/v1/evaluations.pb.h"
#include "client/cli/base/session.h"

namespace assay::cli {

// `path` "-" is stdout. `request`: what the reports that are to be computed of it are asked for
// with.
absl::Status WriteOutcomes(Session& session, const v1::Evaluation& evaluation,
                           const std::string& path, const v1::GetReportRequest& request = {});

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_OUTCOMES_H_
