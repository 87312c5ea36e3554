// `assay evaluation list`.
#include "client/cli/base/evaluations.h"
#include "client/cli/base/resources.h"

namespace assay::cli {

CommandRun EvaluationList(Leaf& /*leaf*/) {
  return PrintAll(&client::Client::ListEvaluations, PrintEvaluations);
}

}  // namespace assay::cli
