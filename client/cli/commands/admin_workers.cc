// `assay admin workers`.
#include "client/cli/base/command.h"
#include "client/cli/base/server_status.h"
#include "core/base/errors.h"
#include "core/base/json.h"

namespace assay::cli {

CommandRun AdminWorkers(Leaf& /*leaf*/) {
  return [](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::ServerStatus status, client->GetServerStatus());
    nlohmann::ordered_json workers = nlohmann::ordered_json::array();
    for (const auto& worker : status.workers()) workers.push_back(ToJson(worker));
    return session.PrintTable(WorkersTable(status), workers);
  };
}

}  // namespace assay::cli
