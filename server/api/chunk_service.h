// ChunkService: content-addressed uploads.
#ifndef ASSAY_SERVER_API_CHUNK_SERVICE_H_
#define ASSAY_SERVER_API_CHUNK_SERVICE_H_

#include "assay/v1/chunks.grpc.pb.h"
#include "server/api/context.h"

namespace assay::api {

class ChunkServiceImpl final : public v1::ChunkService::CallbackService {
 public:
  explicit ChunkServiceImpl(Context& context) : context_(context) {}
  grpc::ServerUnaryReactor* FindMissingChunks(grpc::CallbackServerContext* call,
                                              const v1::FindMissingChunksRequest* request,
                                              v1::FindMissingChunksResponse* response) override;
  grpc::ServerReadReactor<v1::UploadChunksRequest>* UploadChunks(
      grpc::CallbackServerContext* call, v1::UploadChunksResponse* response) override;

 private:
  Context& context_;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_CHUNK_SERVICE_H_
