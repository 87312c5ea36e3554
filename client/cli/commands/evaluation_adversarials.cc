// `assay evaluation adversarials`.
#include <memory>
#include <string>

#include "client/cli/base/adversarials.h"
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {

CommandRun EvaluationAdversarials(Leaf& leaf) {
  const NameArgument name(leaf, kEvaluations);
  const auto directory = std::make_shared<std::string>();
  leaf.Add("directory", directory.get(), "Directory for the files").Required();
  return [name, directory](Session& session) {
    return WriteAdversarials(session, name.full(), *directory);
  };
}

}  // namespace assay::cli
