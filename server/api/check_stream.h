// CheckStorage.
#ifndef ASSAY_SERVER_API_CHECK_STREAM_H_
#define ASSAY_SERVER_API_CHECK_STREAM_H_

#include <grpcpp/grpcpp.h>

#include "assay/v1/admin.pb.h"
#include "server/api/context.h"

namespace assay::api {

// Deletes itself when its call is over.
grpc::ServerWriteReactor<v1::CheckStorageResponse>* NewCheckStream(
    Context& context, grpc::CallbackServerContext& call, const v1::CheckStorageRequest& request);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_CHECK_STREAM_H_
