// The streams of results: StreamOutcomes, StreamAdversarials and StreamVectors.
#ifndef ASSAY_SERVER_API_RESULT_STREAMS_H_
#define ASSAY_SERVER_API_RESULT_STREAMS_H_

#include <grpcpp/grpcpp.h>

#include "assay/v1/evaluations.pb.h"
#include "server/api/context.h"

namespace assay::api {

// Each deletes itself when its call is over.
grpc::ServerWriteReactor<v1::StreamOutcomesResponse>* NewOutcomeStream(
    Context& context, grpc::CallbackServerContext& call, const v1::StreamOutcomesRequest& request);
grpc::ServerWriteReactor<v1::StreamAdversarialsResponse>* NewAdversarialStream(
    Context& context, grpc::CallbackServerContext& call,
    const v1::StreamAdversarialsRequest& request);
grpc::ServerWriteReactor<v1::StreamVectorsResponse>* NewVectorStream(
    Context& context, grpc::CallbackServerContext& call, const v1::StreamVectorsRequest& request);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_RESULT_STREAMS_H_
