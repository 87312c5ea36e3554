// `assay dataset show`.
#include "client/cli/base/datasets.h"
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun DatasetShow(Leaf& leaf) {
  return PrintOne(leaf, kDatasets, &client::Client::GetDataset, PrintDataset);
}

}  // namespace assay::cli
