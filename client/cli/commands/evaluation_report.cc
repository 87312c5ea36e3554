// `assay evaluation report`.
#include <memory>

#include "client/cli/base/resources.h"
#include "client/cli/base/results.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun EvaluationReport(Leaf& leaf) {
  const NameArgument name(leaf, kEvaluations);
  const auto options = std::make_shared<ResultOptions>();
  options->AddTo(leaf);
  options->AddCertificatesTo(leaf);
  return [name, options](Session& session) -> absl::Status {
    ASSAY_RETURN_IF_ERROR(options->CheckWritable());
    ASSAY_ASSIGN_OR_RETURN(const Gates gates, GatesOf(session, name.full(), *options));
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::Evaluation evaluation, client->GetEvaluation(name.full()));
    return WriteResults(session, evaluation, *options, gates);
  };
}

}  // namespace assay::cli
