// `assay model list`.
#include <memory>

#include "client/cli/base/labels.h"
#include "client/cli/base/models.h"
#include "client/cli/base/resources.h"

namespace assay::cli {

CommandRun ModelList(Leaf& leaf) {
  const auto options = std::make_shared<LabelOptions>();
  options->AddTo(leaf, LabelUse::kFilter, "models");
  return [options](Session& session) -> absl::Status {
    v1::ListModelsRequest filter;
    ASSAY_ASSIGN_OR_RETURN(const Labels labels, options->Read());
    SetLabels(labels, filter.mutable_labels());
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const auto models, client->ListModels(filter));
    return PrintModels(session, models);
  };
}

}  // namespace assay::cli
