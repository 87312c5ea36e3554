// `assay evaluation delete`.
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun EvaluationDelete(Leaf& leaf) {
  return Delete(leaf, kEvaluations, &client::Client::DeleteEvaluation);
}

}  // namespace assay::cli
