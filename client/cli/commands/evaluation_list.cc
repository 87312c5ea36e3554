// `assay evaluation list`.
#include <memory>
#include <string>
#include <vector>

#include "client/cli/base/evaluations.h"
#include "client/cli/base/labels.h"
#include "client/cli/base/resources.h"
#include "core/base/resource_names.h"

namespace assay::cli {
namespace {

struct ListOptions {
  LabelOptions labels;
  std::string model;
  std::string dataset;
  std::vector<std::string> states;
};

// "RECEIVING", "QUEUED", ...
std::vector<std::string> StateNames() {
  std::vector<std::string> names;
  for (int state = v1::Evaluation::State_MIN + 1; state <= v1::Evaluation::State_MAX; ++state) {
    names.push_back(v1::Evaluation::State_Name(static_cast<v1::Evaluation::State>(state)));
  }
  return names;
}

}  // namespace

CommandRun EvaluationList(Leaf& leaf) {
  const auto options = std::make_shared<ListOptions>();
  options->labels.AddTo(leaf, LabelUse::kFilter, "evaluations");
  leaf.Add("--model", &options->model, "Only evaluations of this model").TypeName("models/ID");
  leaf.Add("--dataset", &options->dataset, "Only evaluations on this dataset")
      .TypeName("datasets/ID");
  leaf.Add("--state", &options->states, "Only evaluations in one of these states")
      .OneOf(StateNames());
  return [options](Session& session) -> absl::Status {
    v1::ListEvaluationsRequest filter;
    ASSAY_ASSIGN_OR_RETURN(const Labels labels, options->labels.Read());
    SetLabels(labels, filter.mutable_labels());
    if (!options->model.empty()) filter.set_model(FullName(kModels, options->model));
    if (!options->dataset.empty()) filter.set_dataset(FullName(kDatasets, options->dataset));
    for (const std::string& name : options->states) {
      v1::Evaluation::State state;
      if (v1::Evaluation::State_Parse(name, &state)) filter.add_states(state);
    }
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const auto evaluations, client->ListEvaluations(filter));
    return PrintEvaluations(session, evaluations);
  };
}

}  // namespace assay::cli
