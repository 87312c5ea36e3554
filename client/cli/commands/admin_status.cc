// `assay admin status`.
#include "client/cli/base/command.h"
#include "client/cli/base/server_status.h"
#include "core/base/errors.h"
#include "core/base/json.h"

namespace assay::cli {

CommandRun AdminStatus(Leaf& /*leaf*/) {
  return [](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::ServerStatus status, client->GetServerStatus());
    return session.PrintTable(StatusTable(status), ToJson(status));
  };
}

}  // namespace assay::cli
