// `assay model sync`.
#include "client/cli/base/command.h"
#include "client/cli/base/repository.h"
#include "core/base/errors.h"

namespace assay::cli {

CommandRun ModelSync(Leaf& /*leaf*/) {
  return [](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::SyncModelRepositoryResponse found,
                           client->SyncModelRepository());
    return PrintSync(session, found);
  };
}

}  // namespace assay::cli
