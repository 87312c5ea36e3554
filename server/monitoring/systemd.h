// Tells systemd how the service is, as Type=notify wants it.
#ifndef ASSAY_SERVER_MONITORING_SYSTEMD_H_
#define ASSAY_SERVER_MONITORING_SYSTEMD_H_

#include "absl/strings/string_view.h"

namespace assay::monitoring {

// Sends lines such as "READY=1" to `socket`, the value of NOTIFY_SOCKET: a path, or a name behind
// an @. Does nothing when it is nullptr or empty: then nobody wants to know. False when it could
// not be sent.
bool NotifySystemd(const char* socket, absl::string_view lines);

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_SYSTEMD_H_
