#include "server/api/context.h"

#include "absl/strings/str_cat.h"
#include "core/base/log.h"

namespace assay::api {

absl::Status NameTaken(absl::string_view collection, const std::string& name) {
  return Error(Reason::kAlreadyExists,
               absl::StrCat(name, " exists with other content; choose another name"))
      .Resource(collection, name);
}

std::string UploadHolder(const std::string& upload_id, const grpc::CallbackServerContext& call) {
  return upload_id.empty() ? absl::StrCat("connection ", call.peer())
                           : absl::StrCat("upload ", upload_id);
}

absl::Status TooManyCalls() {
  return Error(Reason::kQuotaExceeded, "the server has too many calls waiting")
      .RetryAfterSeconds(1);
}

void LogIfInternal(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kInternal) LogError(status.message());
}

}  // namespace assay::api
