// `assay dataset delete`.
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun DatasetDelete(Leaf& leaf) {
  return Delete(leaf, kDatasets, &client::Client::DeleteDataset);
}

}  // namespace assay::cli
