#include "server/api/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/manifest.h"
#include "net/listen.h"
#include "server/api/chunk_service.h"
#include "server/api/dataset_service.h"
#include "server/api/evaluation_service.h"
#include "server/api/model_service.h"
#include "server/api/rpc_metrics.h"

namespace assay::api {
namespace {

// A batch of Evaluate is one chunk in one message.
constexpr int kMaxMessageBytes = static_cast<int>(kMaxChunkBytes) + (4 << 20);
constexpr int kMinPingIntervalMillis = 30'000;
constexpr const char* kHealthNames[] = {"",
                                        "liveness",
                                        "readiness",
                                        "assay.v1.ChunkService",
                                        "assay.v1.ModelService",
                                        "assay.v1.DatasetService",
                                        "assay.v1.EvaluationService"};

class Server final : public GrpcServer {
 public:
  Server(Context& context, const std::map<std::string, grpc::Service*>& more)
      : chunks_(context),
        models_(context),
        datasets_(context),
        evaluations_(context),
        more_(more) {}

  // Streams that watch would keep the server from ending.
  ~Server() override {
    if (server_ != nullptr) Shutdown(0);
  }

  absl::Status Start(const Address& address, monitoring::Metrics& metrics) {
    // gRPC does not say why it cannot listen, and is content with one of two addresses of a name.
    ASSAY_RETURN_IF_ERROR(Listen(address, "--listen").status());
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address.ToString(), grpc::InsecureServerCredentials(), &port_);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               kMinPingIntervalMillis);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    builder.SetMaxSendMessageSize(-1);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
    creators.push_back(NewRpcMetricsInterceptor(metrics));
    builder.experimental().SetInterceptorCreators(std::move(creators));
    for (grpc::Service* service :
         std::initializer_list<grpc::Service*>{&chunks_, &models_, &datasets_, &evaluations_}) {
      builder.RegisterService(service);
    }
    for (const auto& [name, service] : more_) builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      return Error(Reason::kUnavailable, absl::StrCat("cannot listen on ", address.ToString(),
                                                      "; choose another address with --listen"));
    }
    SetHealth(true);
    return absl::OkStatus();
  }

  int port() const override { return port_; }
  void SetNotServing() override { SetHealth(false); }
  void Shutdown(double seconds) override {
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)));
    server_->Wait();
  }

 private:
  void SetHealth(bool serving) {
    const auto set = [&](const std::string& name) {
      server_->GetHealthCheckService()->SetServingStatus(name, serving || name == "liveness");
    };
    for (const char* name : kHealthNames) set(name);
    for (const auto& [name, service] : more_) set(name);
  }

  ChunkServiceImpl chunks_;
  ModelServiceImpl models_;
  DatasetServiceImpl datasets_;
  EvaluationServiceImpl evaluations_;
  const std::map<std::string, grpc::Service*> more_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const Address& address, Context& context, const std::map<std::string, grpc::Service*>& more) {
  auto server = std::make_unique<Server>(context, more);
  ASSAY_RETURN_IF_ERROR(server->Start(address, context.metrics));
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace assay::api
