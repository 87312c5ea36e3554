// WatchEvaluation.
#ifndef ASSAY_SERVER_API_WATCH_STREAM_H_
#define ASSAY_SERVER_API_WATCH_STREAM_H_

#include <grpcpp/grpcpp.h>

#include "assay/v1/evaluations.pb.h"
#include "server/api/context.h"

namespace assay::api {

// Deletes itself when its call is over.
grpc::ServerWriteReactor<v1::EvaluationEvent>* NewWatchStream(
    Context& context, grpc::CallbackServerContext& call, const v1::WatchEvaluationRequest& request);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_WATCH_STREAM_H_
