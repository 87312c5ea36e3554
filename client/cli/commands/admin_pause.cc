// `assay admin pause`.
#include <memory>
#include <string>

#include "client/cli/base/command.h"
#include "client/cli/base/server_status.h"
#include "core/base/errors.h"

namespace assay::cli {

CommandRun AdminPause(Leaf& leaf) {
  const auto reason = std::make_shared<std::string>();
  leaf.Add("--reason", reason.get(), "For whoever asks later").TypeName("TEXT");
  leaf.Footer("Running tasks end, others wait until `assay admin resume`, over restarts too.");
  return [reason](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::QueueControl control, client->PauseQueue(*reason));
    session.Say(ControlText(control));
    return absl::OkStatus();
  };
}

}  // namespace assay::cli
