// Internal to client/lib: the connection, and how a unary call is made, bounded and repeated.
#ifndef ASSAY_CLIENT_LIB_CALL_H_
#define ASSAY_CLIENT_LIB_CALL_H_

#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "assay/v1/admin.grpc.pb.h"
#include "assay/v1/chunks.grpc.pb.h"
#include "assay/v1/datasets.grpc.pb.h"
#include "assay/v1/evaluations.grpc.pb.h"
#include "assay/v1/models.grpc.pb.h"
#include "assay/v1/repository.grpc.pb.h"
#include "client/lib/client.h"
#include "client/lib/request_id.h"
#include "core/base/errors.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "net/certificates.h"
#include "net/grpc_status.h"

namespace assay::client {

// Answers from memory or the database, and calls that read or check everything that was uploaded.
inline constexpr double kQuickSeconds = 60;
inline constexpr double kSlowSeconds = 1800;

struct Client::Target {
  // As gRPC takes it, and its host: empty for a Unix socket.
  std::string address;
  std::string host;
  bool encrypted = false;
  ClientTls tls;
  // The name in the server's certificate.
  std::string name;
  std::string token;
};

struct Client::Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& shared_channel)
      : channel(shared_channel),
        chunks(v1::ChunkService::NewStub(channel)),
        models(v1::ModelService::NewStub(channel)),
        datasets(v1::DatasetService::NewStub(channel)),
        evaluations(v1::EvaluationService::NewStub(channel)),
        admin(v1::AdminService::NewStub(channel)),

        repository(v1::RepositoryService::NewStub(channel)) {}

  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::ChunkService::Stub> chunks;
  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::DatasetService::Stub> datasets;
  std::unique_ptr<v1::EvaluationService::Stub> evaluations;
  std::unique_ptr<v1::AdminService::Stub> admin;
  std::unique_ptr<v1::RepositoryService::Stub> repository;
};

inline void AddToken(const std::string& token, grpc::ClientContext& context) {
  if (!token.empty()) context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
}

// Notes the id of its call in an error of which the server's log has more.
void SetRequestId(const std::string& id, absl::Status& status);

// A client context that an Interrupt cancels, with the token, if there is one.
class InterruptibleContext {
 public:
  InterruptibleContext(Interrupt& interrupt, const std::string& token)
      : interrupt_(interrupt), scope_(interrupt, [this] { context_.TryCancel(); }) {
    AddToken(token, context_);
    context_.AddMetadata("x-request-id", id_);
  }

  grpc::ClientContext* get() { return &context_; }
  // The call's status; a cancellation of ours under its own name, and one of gRPC's on the other
  // side, by which a server that stops ends what is still open, as UNAVAILABLE. What is the
  // server's fault has the id under which the server has logged it (RequestInfo).
  absl::Status Status(const grpc::Status& status) const {
    if (status.error_code() == grpc::StatusCode::CANCELLED && interrupt_.triggered()) {
      return interrupt_.Check();
    }
    absl::Status result = FromGrpcStatus(status);
    if (absl::IsCancelled(result) && !ReasonOf(result).has_value()) {
      result = Error(Reason::kUnavailable, "the server ended the call; it may be stopping");
    }
    SetRequestId(id_, result);
    return result;
  }

 private:
  Interrupt& interrupt_;
  const std::string id_ = NewRequestId();
  grpc::ClientContext context_;
  Interrupt::Scope scope_;
};

template <typename Response, typename Stub, typename Method, typename Request>
absl::StatusOr<Response> Client::Call(Stub& stub, Method method, const Request& request,
                                      double timeout_seconds, Repeat repeat) {
  Backoff backoff(options_.retry);
  while (true) {
    ASSAY_RETURN_IF_ERROR(options_.interrupt->Check());
    InterruptibleContext context(*options_.interrupt, target_->token);
    context.get()->set_deadline(std::chrono::system_clock::now() +
                                std::chrono::milliseconds(int64_t(timeout_seconds * 1000)));
    // A call that is made once must not be lost because the connection is just being made again.
    context.get()->set_wait_for_ready(repeat == Repeat::kNever);
    Response response;
    const absl::Status status = context.Status((stub.*method)(context.get(), request, &response));
    if (status.ok()) return response;
    if (status.code() == absl::StatusCode::kDeadlineExceeded) {
      return WithMessage(status, absl::StrCat("no answer from ", options_.address, " within ",
                                              timeout_seconds, " s"));
    }
    if (repeat != Repeat::kWhenUnavailable) return status;
    ASSAY_RETURN_IF_ERROR(backoff.Wait(status));
  }
}

// Chunks in order, and how to read one again. Chunks of equal content share a digest.
struct Client::ChunkSet {
  struct Chunk {
    std::string digest;
    int64_t bytes = 0;
  };
  std::vector<Chunk> chunks;
  // What the creation that names the chunks will carry as its request_id.
  std::string upload_id;
  std::function<absl::Status(size_t index, std::string* bytes)> read;
};

}  // namespace assay::client

#endif  // ASSAY_CLIENT_LIB_CALL_H_
