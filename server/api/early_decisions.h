// Ends evaluations as soon as their gates are decided.
#ifndef ASSAY_SERVER_API_EARLY_DECISIONS_H_
#define ASSAY_SERVER_API_EARLY_DECISIONS_H_

#include <string>

#include "absl/status/status.h"
#include "server/api/context.h"

namespace assay::api {

// To be called after every commit: if the evaluation is to stop when decided, and all conditions
// have more samples than at the last look, decides its gates and ends it if all are decided or
// nothing is left to be done. Without effect on others, and on what has ended.
absl::Status LookForDecision(Context& context, const std::string& evaluation);

// The same for every unfinished evaluation: for a start after an end between commit and look.
absl::Status LookForDecisions(Context& context);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_EARLY_DECISIONS_H_
