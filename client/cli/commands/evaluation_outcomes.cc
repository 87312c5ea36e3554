// `assay evaluation outcomes`.
#include <memory>
#include <string>

#include "client/cli/base/outcomes.h"
#include "client/cli/base/output_file.h"
#include "client/cli/base/resources.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun EvaluationOutcomes(Leaf& leaf) {
  const NameArgument name(leaf, kEvaluations);
  const auto file = std::make_shared<std::string>();
  leaf.Add("file", file.get(), "CSV file; - for stdout").Required();
  return [name, file](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_RETURN_IF_ERROR(CheckWritable("file", *file));
    ASSAY_ASSIGN_OR_RETURN(const v1::Evaluation evaluation, client->GetEvaluation(name.full()));
    return WriteOutcomes(session, evaluation, *file);
  };
}

}  // namespace assay::cli
