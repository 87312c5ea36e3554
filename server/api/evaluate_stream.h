// Evaluate, the bidirectional stream: start and batches in; acknowledgements, progress and reports
// out.
#ifndef ASSAY_SERVER_API_EVALUATE_STREAM_H_
#define ASSAY_SERVER_API_EVALUATE_STREAM_H_

#include <grpcpp/grpcpp.h>

#include "assay/v1/evaluations.pb.h"
#include "server/api/context.h"

namespace assay::api {

// Deletes itself when its call is over.
grpc::ServerBidiReactor<v1::EvaluateRequest, v1::EvaluateResponse>* NewEvaluateStream(
    Context& context, grpc::CallbackServerContext& call);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_EVALUATE_STREAM_H_
