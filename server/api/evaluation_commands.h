// Creating evaluations: the checks and the planning behind CreateEvaluation and Evaluate.
#ifndef ASSAY_SERVER_API_EVALUATION_COMMANDS_H_
#define ASSAY_SERVER_API_EVALUATION_COMMANDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "server/api/context.h"

namespace assay::api {

// kQuotaExceeded when `caller` has as many unfinished evaluations as its token allows. Calls of one
// moment do not see each other.
absl::Status CheckCallerQuota(Context& context, const access::Caller& caller);

// Checks everything at once; all problems come as field violations in one status.
absl::StatusOr<store::EvaluationRecord> CreateEvaluation(Context& context,
                                                         const v1::CreateEvaluationRequest& request,
                                                         const access::Caller& caller = {});

// Deletes an evaluation that has ended, with what only it holds. `reason` is the metric's.
absl::Status DeleteEvaluation(Context& context, const std::string& name, const std::string& reason);

// The evaluation of a stream, RECEIVING and without tasks, and its empty manifest.
absl::StatusOr<store::EvaluationRecord> StartStream(Context& context,
                                                    const v1::EvaluateRequest::Start& start,
                                                    const access::Caller& caller = {});

// Makes batch number `batch.index` durable as a chunk and queues its tasks.
absl::Status AppendBatch(Context& context, const store::EvaluationRecord& evaluation,
                         const v1::EvaluateRequest::Batch& batch);

// Ends the data of a stream: its manifest becomes a dataset.
absl::Status FinishStream(Context& context, const std::string& evaluation, int64_t batches);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_EVALUATION_COMMANDS_H_
