// `assay evaluation watch`.
#include <memory>

#include "client/cli/base/resources.h"
#include "client/cli/base/results.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun EvaluationWatch(Leaf& leaf) {
  const NameArgument name(leaf, kEvaluations);
  const auto options = std::make_shared<ResultOptions>();
  options->AddTo(leaf);
  options->AddOutcomesTo(leaf);
  return [name, options](Session& session) -> absl::Status {
    ASSAY_RETURN_IF_ERROR(options->CheckWritable());
    WarnOfMlflow(session, options->mlflow);
    ASSAY_ASSIGN_OR_RETURN(const Gates gates, GatesOf(session, name.full(), *options));
    return WatchAndReport(session, name.full(), *options, gates);
  };
}

}  // namespace assay::cli
