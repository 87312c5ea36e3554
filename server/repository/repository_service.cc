#include "server/repository/repository_service.h"

#include <utility>

#include "core/base/errors.h"
#include "net/grpc_status.h"

namespace assay::repository {
namespace {

absl::Status NoRepository() {
  return Error(Reason::kWrongState,
               "this server has no model repository; start assayd with --model-repository DIR");
}

}  // namespace

grpc::ServerUnaryReactor* RepositoryServiceImpl::SyncModelRepository(
    grpc::CallbackServerContext* call, const v1::SyncModelRepositoryRequest* /*request*/,
    v1::SyncModelRepositoryResponse* response) {
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  if (thread_ == nullptr) {
    reactor->Finish(ToGrpcStatus(NoRepository()));
    return reactor;
  }
  thread_->Sync([reactor, response](absl::StatusOr<v1::SyncModelRepositoryResponse> found) {
    api::LogIfInternal(found.status());
    if (found.ok()) response->Swap(&*found);
    reactor->Finish(ToGrpcStatus(found.status()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* RepositoryServiceImpl::ListRepositoryModels(
    grpc::CallbackServerContext* call, const v1::ListRepositoryModelsRequest* request,
    v1::ListRepositoryModelsResponse* response) {
  return api::AnswerUnary(context_, call, [this, request, response]() -> absl::Status {
    if (repository_ == nullptr) return NoRepository();
    ASSAY_ASSIGN_OR_RETURN(*response, repository_->List(*request));
    return absl::OkStatus();
  });
}

}  // namespace assay::repository
