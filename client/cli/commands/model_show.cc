// `assay model show`.
#include "client/cli/base/models.h"
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun ModelShow(Leaf& leaf) {
  return PrintOne(leaf, kModels, &client::Client::GetModel, PrintModel);
}

}  // namespace assay::cli
