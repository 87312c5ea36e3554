// What a report of an evaluation comes from beside its outcomes, as a client gets it.
#ifndef ASSAY_CLIENT_CLI_BASE_EVALUATION_FACTS_H_
#define ASSAY_CLIENT_CLI_BASE_EVALUATION_FACTS_H_

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "client/lib/client.h"
#include "core/report/recomputation.h"

namespace assay::cli {

// kWrongState for an evaluation that has not ended, or whose data never became a dataset. Of
// `request` the name is ignored.
absl::StatusOr<report::EvaluationFacts> FactsOf(client::Client& client,
                                                const v1::Evaluation& evaluation,
                                                v1::GetReportRequest request = {});

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_EVALUATION_FACTS_H_
