// AdminService.
#ifndef ASSAY_SERVER_API_ADMIN_SERVICE_H_
#define ASSAY_SERVER_API_ADMIN_SERVICE_H_

#include "assay/v1/admin.grpc.pb.h"
#include "server/api/context.h"

namespace assay::api {

class AdminServiceImpl final : public v1::AdminService::CallbackService {
 public:
  explicit AdminServiceImpl(Context& context) : context_(context) {}
  grpc::ServerUnaryReactor* GetServerStatus(grpc::CallbackServerContext* call,
                                            const v1::GetServerStatusRequest* request,
                                            v1::ServerStatus* response) override;
  grpc::ServerUnaryReactor* PauseQueue(grpc::CallbackServerContext* call,
                                       const v1::PauseQueueRequest* request,
                                       v1::QueueControl* response) override;
  grpc::ServerUnaryReactor* DrainServer(grpc::CallbackServerContext* call,
                                        const v1::DrainServerRequest* request,
                                        v1::QueueControl* response) override;
  grpc::ServerUnaryReactor* ResumeServer(grpc::CallbackServerContext* call,
                                         const v1::ResumeServerRequest* request,
                                         v1::QueueControl* response) override;
  grpc::ServerUnaryReactor* CollectGarbage(grpc::CallbackServerContext* call,
                                           const v1::CollectGarbageRequest* request,
                                           v1::CollectGarbageResponse* response) override;
  grpc::ServerWriteReactor<v1::CheckStorageResponse>* CheckStorage(
      grpc::CallbackServerContext* call, const v1::CheckStorageRequest* request) override;
  grpc::ServerUnaryReactor* ListAuditEntries(grpc::CallbackServerContext* call,
                                             const v1::ListAuditEntriesRequest* request,
                                             v1::ListAuditEntriesResponse* response) override;

 private:
  absl::Status Collect(v1::CollectGarbageResponse* response);
  absl::Status ListAudit(const v1::ListAuditEntriesRequest& request,
                         v1::ListAuditEntriesResponse* response);

  Context& context_;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_ADMIN_SERVICE_H_
