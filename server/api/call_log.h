// Calls in the log: who asked what, how it ended, and under which id. A call has the id of its
// metadata `x-request-id`, or gets one; it is given back in the initial metadata. The trace of a
// W3C `traceparent` is logged, too. Failed calls are logged at info (INTERNAL and the like at
// error), others at debug, and so are models and datasets that are not there, for which clients ask
// before they upload.
#ifndef ASSAY_SERVER_API_CALL_LOG_H_
#define ASSAY_SERVER_API_CALL_LOG_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "core/base/log.h"

namespace assay::api {

inline constexpr char kRequestIdKey[] = "x-request-id";

// Must come before interceptors that look at the id, and sees every call.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewCallLogInterceptor();

// What lines about a call have: its id and its trace.
LogFields CallFields(const grpc::ServerContextBase& call);

// The trace of "00-TRACE-SPAN-FLAGS"; empty for what is none.
std::string TraceOf(absl::string_view traceparent);

// Whether a caller's id is taken over: printable, without spaces and quotes, of at most 128 bytes.
bool IsRequestId(absl::string_view id);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_CALL_LOG_H_
