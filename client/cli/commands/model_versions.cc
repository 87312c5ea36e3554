// `assay model versions`.
#include <memory>
#include <string>

#include "client/cli/base/command.h"
#include "client/cli/base/repository.h"
#include "core/base/errors.h"

namespace assay::cli {

CommandRun ModelVersions(Leaf& leaf) {
  const auto model = std::make_shared<std::string>();
  leaf.Add("model", model.get(),
           "Name of its directory in the repository: then with accuracies and gates");
  return [model](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const auto versions, client->ListRepositoryModels(*model));
    return PrintVersions(session, versions);
  };
}

}  // namespace assay::cli
