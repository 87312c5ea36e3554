// Counts every call under the names of go-grpc-prometheus.
#ifndef ASSAY_SERVER_API_RPC_METRICS_H_
#define ASSAY_SERVER_API_RPC_METRICS_H_

#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <string>
#include <vector>

#include "server/monitoring/metrics.h"

namespace assay::api {

// `metrics` must outlive the server. Methods of `services` (full names) are shown with zeros before
// their first call.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewRpcMetricsInterceptor(
    monitoring::Metrics& metrics, const std::vector<std::string>& services);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_RPC_METRICS_H_
