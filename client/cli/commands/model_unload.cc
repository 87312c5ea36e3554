// `assay model unload`.
#include "client/cli/base/models.h"
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun ModelUnload(Leaf& leaf) {
  return PrintOne(leaf, kModels, &client::Client::UnloadModel, PrintModel);
}

}  // namespace assay::cli
