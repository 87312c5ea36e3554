#include "server/api/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <atomic>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/manifest.h"
#include "net/listen.h"
#include "server/api/admin_service.h"
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
                                        "assay.v1.EvaluationService",
                                        "assay.v1.AdminService"};

class Server final : public GrpcServer {
 public:
  explicit Server(Context& context)
      : control_(context.control),
        chunks_(context),
        models_(context),
        datasets_(context),
        evaluations_(context),
        admin_(context, [this] { UpdateHealth(); }) {}

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
    for (grpc::Service* service : std::initializer_list<grpc::Service*>{
             &chunks_, &models_, &datasets_, &evaluations_, &admin_}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      return Error(Reason::kUnavailable, absl::StrCat("cannot listen on ", address.ToString(),
                                                      "; choose another address with --listen"));
    }
    UpdateHealth();
    return absl::OkStatus();
  }

  int port() const override { return port_; }
  void SetNotServing() override {
    stopping_ = true;
    UpdateHealth();
  }
  void Shutdown(double seconds) override {
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)));
    server_->Wait();
  }

 private:
  void UpdateHealth() {
    // Of two changes at a time, the last to be told is what holds.
    MutexLock lock(health_mutex_);
    const bool serving = !stopping_ && !control_.draining();
    for (const char* name : kHealthNames) {
      const bool alive = std::string(name) == "liveness";
      server_->GetHealthCheckService()->SetServingStatus(name, serving || alive);
    }
  }

  const scheduler::WorkControl& control_;
  Mutex health_mutex_;
  std::atomic<bool> stopping_ = false;
  ChunkServiceImpl chunks_;
  ModelServiceImpl models_;
  DatasetServiceImpl datasets_;
  EvaluationServiceImpl evaluations_;
  AdminServiceImpl admin_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Address& address,
                                                              Context& context) {
  auto server = std::make_unique<Server>(context);
  ASSAY_RETURN_IF_ERROR(server->Start(address, context.metrics));
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace assay::api
