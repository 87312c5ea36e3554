// `assay compare`.
#include <memory>
#include <string>
#include <vector>

#include "client/cli/base/resources.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"

namespace assay::cli {
namespace {

struct CompareOptions {
  std::vector<std::string> evaluations;
  double confidence_level = 0.95;
  bool common = false;
  std::string oracle;
};

}  // namespace

CommandRun Compare(Leaf& leaf) {
  const auto options = std::make_shared<CompareOptions>();
  leaf.Add("evaluations", &options->evaluations,
           "Two or more: evaluations/ID, or the ID alone; changes are told against the first")
      .Required()
      .TypeName("EVALUATION");
  leaf.Add("--common", &options->common, "Compare the conditions that all of them have");
  leaf.Add("--oracle", &options->oracle,
           "One of them: measure the others also on the images that its model gets right")
      .TypeName("EVALUATION");
  leaf.Add("--confidence-level", &options->confidence_level,
           "Level of the intervals (default 0.95)")
      .Share("0.95")
      .TypeName("LEVEL");
  leaf.Footer("Example: assay compare before after");
  return [options](Session& session) -> absl::Status {
    v1::CompareEvaluationsRequest request;
    for (const std::string& name : options->evaluations) {
      request.add_names(FullName(kEvaluations, name));
    }
    request.set_confidence_level(options->confidence_level);
    request.set_common(options->common);
    if (!options->oracle.empty()) request.set_oracle(FullName(kEvaluations, options->oracle));
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::Comparison comparison, client->CompareEvaluations(request));
    return session.PrintComparison(comparison);
  };
}

}  // namespace assay::cli
