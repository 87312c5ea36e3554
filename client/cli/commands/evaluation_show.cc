// `assay evaluation show`.
#include "client/cli/base/evaluations.h"
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun EvaluationShow(Leaf& leaf) {
  return PrintOne(leaf, kEvaluations, &client::Client::GetEvaluation, PrintEvaluation);
}

}  // namespace assay::cli
