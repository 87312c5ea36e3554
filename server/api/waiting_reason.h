// Why nothing of an evaluation runs, where no worker can run it at this moment.
#ifndef ASSAY_SERVER_API_WAITING_REASON_H_
#define ASSAY_SERVER_API_WAITING_REASON_H_

#include <vector>

#include "server/api/context.h"

namespace assay::api {

// Sets waiting_reason, where there is one. Only of those that are QUEUED or RUNNING.
void SetWaitingReason(const Context& context, v1::Evaluation* evaluation);
void SetWaitingReasons(const Context& context, std::vector<store::EvaluationRecord>* records);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_WAITING_REASON_H_
