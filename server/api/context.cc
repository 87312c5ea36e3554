#include "server/api/context.h"

#include "common/log.h"

namespace assay::api {

void LogIfInternal(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kInternal) LogError(status.message());
}

}  // namespace assay::api
