#include "server/api/quota.h"

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "google/rpc/error_details.pb.h"

namespace assay::api {

absl::Status QuotaExceeded(const std::string& subject, const std::string& text,
                           double retry_seconds) {
  absl::Status status =
      Error(Reason::kQuotaExceeded, text).RetryAfterSeconds(retry_seconds).ToStatus();
  google::rpc::QuotaFailure failure;
  google::rpc::QuotaFailure::Violation& violation = *failure.add_violations();
  violation.set_subject(subject);
  violation.set_description(text);
  status.SetPayload("type.googleapis.com/google.rpc.QuotaFailure",
                    absl::Cord(failure.SerializeAsString()));
  return status;
}

int64_t StoredBytes(const Context& context) {
  const int64_t database = context.disk != nullptr ? context.disk->Read().database_bytes : 0;
  return context.blobs.Count().bytes + database;
}

absl::Status CheckDiskQuota(const Context& context, int64_t more) {
  const int64_t quota = context.disk_quota_bytes;
  if (quota <= 0) return absl::OkStatus();
  const int64_t stored = StoredBytes(context);
  if (stored < quota && more <= quota - stored) return absl::OkStatus();
  return QuotaExceeded(
      "--disk-quota",
      absl::StrCat("blobs and database have ", stored, " bytes",
                   more > 0 ? absl::StrCat(", and ", more, " more") : "",
                   " are above the --disk-quota of ", quota,
                   "; delete evaluations, datasets or models, which frees their room within "
                   "seconds, or raise the quota"),
      60);
}

store::Owner OwnerOf(const access::Caller& caller) {
  if (caller.by == access::kByNobody) return {};
  return {caller.name, caller.by, caller.max_stored_bytes};
}

absl::Status CheckStoredQuota(Context& context, const access::Caller& caller, int64_t more) {
  if (!caller.max_stored_bytes.has_value()) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(const int64_t stored, context.catalog.BytesOf(caller.name));
  return store::CheckStoredBytes(
      OwnerOf(caller), stored + context.uploaded.Of(caller.name, context.clock.NowMicros()), more);
}

}  // namespace assay::api
