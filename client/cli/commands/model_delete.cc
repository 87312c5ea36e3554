// `assay model delete`.
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun ModelDelete(Leaf& leaf) { return Delete(leaf, kModels, &client::Client::DeleteModel); }

}  // namespace assay::cli
