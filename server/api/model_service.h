// ModelService.
#ifndef ASSAY_SERVER_API_MODEL_SERVICE_H_
#define ASSAY_SERVER_API_MODEL_SERVICE_H_

#include <string>

#include "assay/v1/models.grpc.pb.h"
#include "server/api/context.h"

namespace assay::api {

class ModelServiceImpl final : public v1::ModelService::CallbackService {
 public:
  explicit ModelServiceImpl(Context& context) : context_(context) {}
  grpc::ServerUnaryReactor* CreateModel(grpc::CallbackServerContext* call,
                                        const v1::CreateModelRequest* request,
                                        v1::Model* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* call,
                                     const v1::GetModelRequest* request,
                                     v1::Model* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* call,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteModel(grpc::CallbackServerContext* call,
                                        const v1::DeleteModelRequest* request,
                                        google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* LoadModel(grpc::CallbackServerContext* call,
                                      const v1::LoadModelRequest* request,
                                      v1::Model* response) override;
  grpc::ServerUnaryReactor* UnloadModel(grpc::CallbackServerContext* call,
                                        const v1::UnloadModelRequest* request,
                                        v1::Model* response) override;

 private:
  // `holder` holds the chunks.
  absl::Status Create(const v1::CreateModelRequest& request, const std::string& holder,
                      const access::Caller& caller, v1::Model* response);
  absl::Status Load(const v1::LoadModelRequest& request, v1::Model* response);
  // The stored model with its current state.
  absl::Status Describe(const std::string& name, v1::Model* response);

  Context& context_;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_MODEL_SERVICE_H_
