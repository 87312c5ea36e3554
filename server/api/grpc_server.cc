#include "server/api/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <atomic>
#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "net/listen.h"
#include "server/api/admin_service.h"
#include "server/api/call_log.h"
#include "server/api/chunk_service.h"
#include "server/api/dataset_service.h"
#include "server/api/evaluation_service.h"
#include "server/api/model_service.h"
#include "server/api/rpc_metrics.h"

namespace assay::api {
namespace {

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
  Server(Context& context, const std::map<std::string, grpc::Service*>& more)
      : control_(context.control),
        chunks_(context),
        models_(context),
        datasets_(context),
        evaluations_(context),
        admin_(context),
        more_(more) {}

  // Streams that watch would keep the server from ending.
  ~Server() override {
    control_.OnDrainChange(nullptr);
    if (server_ != nullptr) Shutdown(0);
  }

  absl::Status Start(const Address& address, const Context& context,
                     const GrpcServerOptions& options) {
    // gRPC does not say why it cannot listen, and is content with one of two addresses of a name.
    ASSAY_RETURN_IF_ERROR(Listen(address, "--listen").status());
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    credentials_ = NewServerCredentials(
        options.certificate, context.access == nullptr ? nullptr : context.access->Gate());
    builder.AddListeningPort(address.ToString(), credentials_, &port_);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               kMinPingIntervalMillis);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    SetLimits(options.limits, builder);
    builder.SetMaxSendMessageSize(-1);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
    creators.push_back(NewCallLogInterceptor());
    creators.push_back(NewRpcMetricsInterceptor(
        context.metrics, {std::begin(kHealthNames), std::end(kHealthNames)}));
    if (context.access != nullptr) creators.push_back(context.access->NewInterceptor());
    builder.experimental().SetInterceptorCreators(std::move(creators));
    for (grpc::Service* service : std::initializer_list<grpc::Service*>{
             &chunks_, &models_, &datasets_, &evaluations_, &admin_}) {
      builder.RegisterService(service);
    }
    for (const auto& [name, service] : more_) builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      return Error(Reason::kUnavailable, absl::StrCat("cannot listen on ", address.ToString(),
                                                      "; choose another address with --listen"));
    }
    control_.OnDrainChange([this] { UpdateHealth(); });
    UpdateHealth();
    return absl::OkStatus();
  }

  int port() const override { return port_; }
  void SetNotServing() override {
    stopping_ = true;
    UpdateHealth();
  }
  void SetDependencies(bool there) override {
    dependencies_ = there;
    UpdateHealth();
  }
  void Shutdown(double seconds) override {
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)));
    server_->Wait();
  }

 private:
  static void SetLimits(const GrpcLimits& limits, grpc::ServerBuilder& builder) {
    builder.SetMaxReceiveMessageSize(limits.message_bytes);
    const auto set = [&](const char* argument, double seconds) {
      builder.AddChannelArgument(argument, static_cast<int>(seconds * 1000));
    };
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.streams_per_connection);
    set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, limits.handshake_seconds);
    set(GRPC_ARG_MAX_CONNECTION_IDLE_MS, limits.idle_seconds);
    set(GRPC_ARG_KEEPALIVE_TIME_MS, limits.ping_seconds);
    set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, limits.ping_timeout_seconds);
    // Streams that have nothing to say must notice, too, that their client is gone.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    if (limits.buffer_bytes > 0) {
      grpc::ResourceQuota quota("assayd");
      quota.Resize(static_cast<size_t>(limits.buffer_bytes));
      builder.SetResourceQuota(quota);
    }
  }

  void UpdateHealth() {
    // Of two changes at a time, the last to be told is what holds.
    MutexLock lock(health_mutex_);
    const bool serving = !stopping_ && dependencies_ && !control_.draining();
    const auto set = [&](const std::string& name) {
      server_->GetHealthCheckService()->SetServingStatus(name, serving || name == "liveness");
    };
    for (const char* name : kHealthNames) set(name);
    for (const auto& [name, service] : more_) set(name);
  }

  scheduler::WorkControl& control_;
  Mutex health_mutex_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> dependencies_ = true;
  ChunkServiceImpl chunks_;
  ModelServiceImpl models_;
  DatasetServiceImpl datasets_;
  EvaluationServiceImpl evaluations_;
  AdminServiceImpl admin_;
  const std::map<std::string, grpc::Service*> more_;
  int port_ = 0;
  // The server asks them at every handshake.
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Address& address,
                                                              Context& context,
                                                              GrpcServerOptions options) {
  auto server = std::make_unique<Server>(context, options.more);
  ASSAY_RETURN_IF_ERROR(server->Start(address, context, options));
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace assay::api
