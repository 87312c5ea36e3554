#include "server/api/admin_service.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "server/api/check_stream.h"
#include "server/api/retention.h"
#include "server/api/server_status.h"

namespace assay::api {
namespace {

constexpr size_t kMaxReasonBytes = 200;

}  // namespace

grpc::ServerUnaryReactor* AdminServiceImpl::GetServerStatus(
    grpc::CallbackServerContext* call, const v1::GetServerStatusRequest* /*request*/,
    v1::ServerStatus* response) {
  return AnswerUnary(context_, call, [this, response]() -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(*response, StatusOf(context_));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* AdminServiceImpl::PauseQueue(grpc::CallbackServerContext* call,
                                                       const v1::PauseQueueRequest* request,
                                                       v1::QueueControl* response) {
  return AnswerUnary(context_, call, [this, request, response]() -> absl::Status {
    if (request->reason().size() > kMaxReasonBytes) {
      return InvalidFields({{"reason", absl::StrCat("must have at most ", kMaxReasonBytes,
                                                    " bytes; got ", request->reason().size())}});
    }
    ASSAY_RETURN_IF_ERROR(
        context_.WithReserve([&] { return context_.control.Pause(request->reason()); }));
    LogInfo("the queue is paused");
    context_.registry.Wake();
    *response = ControlOf(context_);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* AdminServiceImpl::DrainServer(grpc::CallbackServerContext* call,
                                                        const v1::DrainServerRequest* request,
                                                        v1::QueueControl* response) {
  return AnswerUnary(context_, call, [this, request, response]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(context_.registry.Drain(request->instance(), request->release_running()));
    LogInfo(request->release_running() ? "the server is drained; running tasks go back"
                                       : "the server is drained",
            {{"instance",
              request->instance().empty() ? context_.registry.instance() : request->instance()}});
    *response = ControlOf(context_);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* AdminServiceImpl::ResumeServer(grpc::CallbackServerContext* call,
                                                         const v1::ResumeServerRequest* /*request*/,
                                                         v1::QueueControl* response) {
  return AnswerUnary(context_, call, [this, response]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(context_.registry.Resume());
    LogInfo("the server takes and does work again");
    *response = ControlOf(context_);
    return absl::OkStatus();
  });
}

absl::Status AdminServiceImpl::Collect(v1::CollectGarbageResponse* response) {
  const auto database_bytes = [this] {
    return context_.disk != nullptr ? context_.disk->Read().database_bytes : 0;
  };
  const int64_t before = database_bytes();
  if (context_.retention != nullptr) {
    ASSAY_ASSIGN_OR_RETURN(const int64_t deleted, context_.retention->DeleteExpired());
    response->set_deleted_evaluations(deleted);
  }
  if (context_.sweeper == nullptr) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(const store::BlobCount removed, context_.sweeper->SweepNow());
  response->set_deleted_blobs(removed.blobs);
  response->set_deleted_blob_bytes(removed.bytes);
  // Work that goes on may have written more than was freed.
  response->set_freed_database_bytes(std::max<int64_t>(0, before - database_bytes()));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AdminServiceImpl::CollectGarbage(
    grpc::CallbackServerContext* call, const v1::CollectGarbageRequest* /*request*/,
    v1::CollectGarbageResponse* response) {
  return AnswerUnary(context_, call, [this, response] { return Collect(response); });
}

grpc::ServerWriteReactor<v1::CheckStorageResponse>* AdminServiceImpl::CheckStorage(
    grpc::CallbackServerContext* call, const v1::CheckStorageRequest* request) {
  return NewCheckStream(context_, *call, *request);
}

}  // namespace assay::api
