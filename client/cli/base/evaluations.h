// How evaluations are shown.
#ifndef ASSAY_CLIENT_CLI_BASE_EVALUATIONS_H_
#define ASSAY_CLIENT_CLI_BASE_EVALUATIONS_H_

#include <vector>

#include "absl/status/status.h"
#include "assay/v1/evaluations.pb.h"
#include "client/cli/base/progress.h"
#include "client/cli/base/session.h"

namespace assay::cli {

absl::Status PrintEvaluation(Session& session, const v1::Evaluation& evaluation);
absl::Status PrintEvaluations(Session& session, const std::vector<v1::Evaluation>& evaluations);
// On stderr, why nothing of it runs, where that is so.
void SayWaiting(Session& session, const v1::Evaluation& evaluation);
// How far an evaluation is.
ProgressPoint PointOf(const v1::Evaluation& evaluation);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_EVALUATIONS_H_
