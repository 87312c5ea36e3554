// `assay dataset list`.
#include "client/cli/base/datasets.h"
#include "client/cli/base/resources.h"

namespace assay::cli {

CommandRun DatasetList(Leaf& /*leaf*/) {
  return PrintAll(&client::Client::ListDatasets, PrintDatasets);
}

}  // namespace assay::cli
