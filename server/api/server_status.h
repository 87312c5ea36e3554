// What the server is doing at this moment, gathered from those who know.
#ifndef ASSAY_SERVER_API_SERVER_STATUS_H_
#define ASSAY_SERVER_API_SERVER_STATUS_H_

#include "absl/status/statusor.h"
#include "assay/v1/admin.pb.h"
#include "server/api/context.h"

namespace assay::api {

// Pauses, drains and running tasks.
v1::QueueControl ControlOf(const Context& context);

absl::StatusOr<v1::ServerStatus> StatusOf(Context& context);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_SERVER_STATUS_H_
