// `assay model list`.
#include "client/cli/base/models.h"
#include "client/cli/base/resources.h"

namespace assay::cli {

CommandRun ModelList(Leaf& /*leaf*/) { return PrintAll(&client::Client::ListModels, PrintModels); }

}  // namespace assay::cli
