// `assay evaluation vectors`.
#include <memory>
#include <string>

#include "client/cli/base/resources.h"
#include "client/cli/base/vectors.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun EvaluationVectors(Leaf& leaf) {
  const NameArgument name(leaf, kEvaluations);
  const auto directory = std::make_shared<std::string>();
  leaf.Add("directory", directory.get(), "Directory for the files").Required();
  return [name, directory](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::Evaluation evaluation, client->GetEvaluation(name.full()));
    return WriteVectors(session, evaluation, *directory);
  };
}

}  // namespace assay::cli
