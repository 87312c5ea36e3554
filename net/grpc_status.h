// absl::Status to and from grpc::Status, details included (google.rpc.Status in the binary error
// details).
#ifndef ASSAY_NET_GRPC_STATUS_H_
#define ASSAY_NET_GRPC_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace assay {

// INTERNAL keeps its reason but not its text, which may name paths of the server.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace assay

#endif  // ASSAY_NET_GRPC_STATUS_H_
