#include "server/api/rpc_metrics.h"

#include <chrono>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace assay::api {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

std::string TypeName(ServerRpcInfo::Type type) {
  switch (type) {
    case ServerRpcInfo::Type::UNARY:
      return "unary";
    case ServerRpcInfo::Type::CLIENT_STREAMING:
      return "client_stream";
    case ServerRpcInfo::Type::SERVER_STREAMING:
      return "server_stream";
    case ServerRpcInfo::Type::BIDI_STREAMING:
      return "bidi_stream";
  }
  return "unknown";
}

ServerRpcInfo::Type TypeOf(const google::protobuf::MethodDescriptor& method) {
  if (method.client_streaming()) {
    return method.server_streaming() ? ServerRpcInfo::Type::BIDI_STREAMING
                                     : ServerRpcInfo::Type::CLIENT_STREAMING;
  }
  return method.server_streaming() ? ServerRpcInfo::Type::SERVER_STREAMING
                                   : ServerRpcInfo::Type::UNARY;
}

// Names as in Go's codes package, which dashboards for gRPC expect.
std::string CodeName(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {
      "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  const auto index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "Unknown";
}

// Whether this server may have such a method; health's are there without descriptors.
bool IsKnown(const std::string& service, const std::string& method) {
  if (service == "grpc.health.v1.Health") return method == "Check" || method == "Watch";
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
             absl::StrCat(service, ".", method)) != nullptr;
}

class RpcMetrics final : public Interceptor {
 public:
  RpcMetrics(monitoring::Metrics& metrics, const ServerRpcInfo& info)
      : metrics_(metrics), type_(TypeName(info.type())) {
    // "/assay.v1.ModelService/GetModel"
    const absl::string_view path = info.method();
    const size_t slash = path.rfind('/');
    service_ = std::string(path.substr(1, slash - 1));
    method_ = std::string(path.substr(slash + 1));
    // Callers choose what they ask for, and series are for ever.
    if (!IsKnown(service_, method_)) service_ = method_ = "unknown";
    metrics_.RpcStarted(type_, service_, method_);
  }

  // A call that was cut off never sends a status.
  ~RpcMetrics() override { Handled(grpc::StatusCode::CANCELLED); }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
      metrics_.RpcMessage(type_, service_, method_, /*received=*/false);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE) &&
        methods->GetRecvMessage() != nullptr) {
      metrics_.RpcMessage(type_, service_, method_, /*received=*/true);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      Handled(methods->GetSendStatus().error_code());
    }
    methods->Proceed();
  }

 private:
  void Handled(grpc::StatusCode code) {
    if (handled_) return;
    handled_ = true;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    metrics_.RpcHandled(type_, service_, method_, CodeName(code), elapsed.count());
  }

  monitoring::Metrics& metrics_;
  const std::string type_;
  std::string service_, method_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  bool handled_ = false;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(monitoring::Metrics& metrics) : metrics_(metrics) {}
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new RpcMetrics(metrics_, *info);
  }

 private:
  monitoring::Metrics& metrics_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewRpcMetricsInterceptor(
    monitoring::Metrics& metrics, const std::vector<std::string>& services) {
  for (const std::string& name : services) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    for (int i = 0; service != nullptr && i < service->method_count(); ++i) {
      const auto& method = *service->method(i);
      metrics.KnowRpc(TypeName(TypeOf(method)), name, method.name());
    }
  }
  return std::make_unique<Factory>(metrics);
}

}  // namespace assay::api
