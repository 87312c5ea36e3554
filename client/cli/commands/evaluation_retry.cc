// `assay evaluation retry`.
#include "client/cli/base/evaluations.h"
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun EvaluationRetry(Leaf& leaf) {
  return PrintOne(leaf, kEvaluations, &client::Client::RetryEvaluation, PrintEvaluation);
}

}  // namespace assay::cli
