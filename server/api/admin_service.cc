#include "server/api/admin_service.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "server/access/audit_reader.h"
#include "server/api/check_stream.h"
#include "server/api/retention.h"
#include "server/api/server_status.h"
#include "server/api/timestamps.h"

namespace assay::api {
namespace {

constexpr size_t kMaxReasonBytes = 200;
constexpr size_t kMostAuditEntries = 1000;

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

absl::Status AdminServiceImpl::ListAudit(const v1::ListAuditEntriesRequest& request,
                                         v1::ListAuditEntriesResponse* response) {
  const std::string path = context_.access == nullptr ? "" : context_.access->audit_path();
  if (path.empty()) {
    return Error(Reason::kWrongState,
                 "the server keeps no audit log; --audit-log FILE gives it one");
  }
  if (request.page_size() < 0) {
    return InvalidFields({{"page_size", "must not be negative"}});
  }
  access::AuditQuery query;
  if (request.has_since()) query.since_micros = ToMicros(request.since());
  if (request.has_until()) query.until_micros = ToMicros(request.until());
  query.who = request.who();
  query.method = request.method();
  query.resource = request.resource();
  query.denied_only = request.denied_only();
  query.most = request.page_size() == 0
                   ? 100
                   : std::min(static_cast<size_t>(request.page_size()), kMostAuditEntries);
  query.page_token = request.page_token();
  ASSAY_ASSIGN_OR_RETURN(access::AuditPage page, access::ReadAudit(path, query));
  for (access::AuditEntry& entry : page.entries) {
    v1::AuditEntry& told = *response->add_entries();
    *told.mutable_time() = ToTimestamp(entry.time_micros);
    told.set_who(std::move(entry.who));
    told.set_by(std::move(entry.by));
    told.set_peer(std::move(entry.peer));
    told.set_method(std::move(entry.method));
    told.set_resource(std::move(entry.resource));
    told.set_request_id(std::move(entry.request_id));
    told.set_allowed(entry.allowed);
    told.set_code(std::move(entry.code));
    told.set_reason(std::move(entry.reason));
    told.set_seconds(entry.seconds);
  }
  response->set_next_page_token(page.next_token);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AdminServiceImpl::ListAuditEntries(
    grpc::CallbackServerContext* call, const v1::ListAuditEntriesRequest* request,
    v1::ListAuditEntriesResponse* response) {
  return AnswerUnary(context_, call,
                     [this, request, response] { return ListAudit(*request, response); });
}

}  // namespace assay::api
