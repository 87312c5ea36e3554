// `assay admin resume`.
#include "client/cli/base/command.h"
#include "client/cli/base/server_status.h"
#include "core/base/errors.h"

namespace assay::cli {

CommandRun AdminResume(Leaf& /*leaf*/) {
  return [](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::QueueControl control, client->ResumeServer());
    session.Say(ControlText(control));
    return absl::OkStatus();
  };
}

}  // namespace assay::cli
