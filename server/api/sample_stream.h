// The stream of a dataset's images: StreamSamples.
#ifndef ASSAY_SERVER_API_SAMPLE_STREAM_H_
#define ASSAY_SERVER_API_SAMPLE_STREAM_H_

#include <grpcpp/grpcpp.h>

#include "assay/v1/datasets.pb.h"
#include "server/api/context.h"

namespace assay::api {

// Deletes itself when its call is over.
grpc::ServerWriteReactor<v1::StreamSamplesResponse>* NewSampleStream(
    Context& context, grpc::CallbackServerContext& call, const v1::StreamSamplesRequest& request);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_SAMPLE_STREAM_H_
