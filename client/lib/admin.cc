// What the operator of a server asks of it.
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "client/lib/call.h"
#include "client/lib/client.h"

namespace assay::client {

using Admin = v1::AdminService::Stub;

absl::StatusOr<v1::ServerStatus> Client::GetServerStatus() {
  return Call<v1::ServerStatus>(*stubs_->admin, &Admin::GetServerStatus,
                                v1::GetServerStatusRequest(), kQuickSeconds);
}

absl::StatusOr<v1::ServerStatus> Client::GetServerStatusOnce(double timeout_seconds) {
  return Call<v1::ServerStatus>(*stubs_->admin, &Admin::GetServerStatus,
                                v1::GetServerStatusRequest(), timeout_seconds,
                                Repeat::kNeverNorWait);
}

absl::StatusOr<v1::QueueControl> Client::PauseQueue(const std::string& reason) {
  v1::PauseQueueRequest request;
  request.set_reason(reason);
  return Call<v1::QueueControl>(*stubs_->admin, &Admin::PauseQueue, request, kQuickSeconds);
}

absl::StatusOr<v1::QueueControl> Client::DrainServer(bool release_running,
                                                     const std::string& instance) {
  v1::DrainServerRequest request;
  request.set_instance(instance);
  request.set_release_running(release_running);
  return Call<v1::QueueControl>(*stubs_->admin, &Admin::DrainServer, request, kQuickSeconds);
}

absl::StatusOr<v1::QueueControl> Client::ResumeServer() {
  return Call<v1::QueueControl>(*stubs_->admin, &Admin::ResumeServer, v1::ResumeServerRequest(),
                                kQuickSeconds);
}

absl::StatusOr<std::vector<v1::AuditEntry>> Client::ListAuditEntries(
    v1::ListAuditEntriesRequest filter, size_t most) {
  constexpr size_t kMostOfAPage = 1000;
  std::vector<v1::AuditEntry> entries;
  do {
    filter.set_page_size(static_cast<int32_t>(std::min(most - entries.size(), kMostOfAPage)));
    ASSAY_ASSIGN_OR_RETURN(v1::ListAuditEntriesResponse page,
                           Call<v1::ListAuditEntriesResponse>(
                               *stubs_->admin, &Admin::ListAuditEntries, filter, kQuickSeconds));
    for (v1::AuditEntry& entry : *page.mutable_entries()) entries.push_back(std::move(entry));
    filter.set_page_token(page.next_page_token());
  } while (!filter.page_token().empty() && entries.size() < most);
  return entries;
}

absl::StatusOr<v1::CollectGarbageResponse> Client::CollectGarbage() {
  return Call<v1::CollectGarbageResponse>(*stubs_->admin, &Admin::CollectGarbage,
                                          v1::CollectGarbageRequest(), kSlowSeconds);
}

absl::Status Client::CheckStorage(
    bool repair, const std::function<absl::Status(const v1::CheckStorageResponse&)>& on_message) {
  v1::CheckStorageRequest request;
  request.set_repair(repair);
  InterruptibleContext context(*options_.interrupt, target_->token);
  const auto reader = stubs_->admin->CheckStorage(context.get(), request);
  v1::CheckStorageResponse message;
  absl::Status taken;
  while (taken.ok() && reader->Read(&message)) taken = on_message(message);
  if (!taken.ok()) context.get()->TryCancel();
  const absl::Status ended = context.Status(reader->Finish());
  return taken.ok() ? ended : taken;
}

}  // namespace assay::client
