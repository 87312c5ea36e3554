// `assay evaluation cancel`.
#include "client/cli/base/evaluations.h"
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun EvaluationCancel(Leaf& leaf) {
  return PrintOne(leaf, kEvaluations, &client::Client::CancelEvaluation, PrintEvaluation);
}

}  // namespace assay::cli
