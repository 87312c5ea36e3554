// The engine's gRPC service: one model, one task at a time.
#ifndef ASSAY_SERVER_ENGINE_ENGINE_SERVICE_H_
#define ASSAY_SERVER_ENGINE_ENGINE_SERVICE_H_

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "assay/engine/v1/engine.grpc.pb.h"
#include "core/base/mutex.h"
#include "core/corruptions/frost_photographs.h"
#include "server/engine/torch/torch_classifier.h"

namespace assay::engine {

namespace rpc = ::assay::engine_rpc::v1;

class EngineService final : public rpc::EngineService::Service {
 public:
  grpc::Status Load(grpc::ServerContext* context, const rpc::LoadRequest* request,
                    rpc::LoadResponse* response) override;
  grpc::Status Run(grpc::ServerContext* context, const rpc::RunRequest* request,
                   grpc::ServerWriter<rpc::RunEvent>* writer) override;
  grpc::Status Idle(grpc::ServerContext* context, const rpc::IdleRequest* request,
                    rpc::IdleResponse* response) override;

 private:
  absl::Status RunTaskAndStream(grpc::ServerContext* context, const rpc::RunRequest& request,
                                grpc::ServerWriter<rpc::RunEvent>* writer);
  // Brings `others_` to these models.
  absl::Status LoadOthers(const rpc::RunRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::atomic<bool> running_ = false;
  Mutex mutex_;  // one call of Load or Run at a time
  LoadOptions options_ ABSL_GUARDED_BY(mutex_);
  // Null without a directory of photographs.
  std::shared_ptr<const corruptions::FrostPhotographs> frost_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<TorchClassifier> classifier_ ABSL_GUARDED_BY(mutex_);
  // The other models of the last task that had any, by path.
  std::map<std::string, std::unique_ptr<TorchClassifier>> others_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ENGINE_SERVICE_H_
