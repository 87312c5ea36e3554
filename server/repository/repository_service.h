// RepositoryService.
#ifndef ASSAY_SERVER_REPOSITORY_REPOSITORY_SERVICE_H_
#define ASSAY_SERVER_REPOSITORY_REPOSITORY_SERVICE_H_

#include "assay/v1/repository.grpc.pb.h"
#include "server/api/context.h"
#include "server/repository/model_repository.h"
#include "server/repository/repository_thread.h"

namespace assay::repository {

class RepositoryServiceImpl final : public v1::RepositoryService::CallbackService {
 public:
  explicit RepositoryServiceImpl(api::Context& context) : context_(context) {}
  // Before the server starts; both must outlive it. Without, every call is refused.
  void Serve(ModelRepository& repository, RepositoryThread& thread) {
    repository_ = &repository;
    thread_ = &thread;
  }

  grpc::ServerUnaryReactor* SyncModelRepository(grpc::CallbackServerContext* call,
                                                const v1::SyncModelRepositoryRequest* request,
                                                v1::SyncModelRepositoryResponse* response) override;
  grpc::ServerUnaryReactor* ListRepositoryModels(
      grpc::CallbackServerContext* call, const v1::ListRepositoryModelsRequest* request,
      v1::ListRepositoryModelsResponse* response) override;

 private:
  api::Context& context_;
  ModelRepository* repository_ = nullptr;
  RepositoryThread* thread_ = nullptr;
};

}  // namespace assay::repository

#endif  // ASSAY_SERVER_REPOSITORY_REPOSITORY_SERVICE_H_
