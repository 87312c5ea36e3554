#include "client/cli/base/evaluation_facts.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::cli {

absl::StatusOr<report::EvaluationFacts> FactsOf(client::Client& client,
                                                const v1::Evaluation& evaluation,
                                                v1::GetReportRequest request) {
  const auto wrong = [&](const char* text) {
    return absl::Status(Error(Reason::kWrongState, absl::StrCat(evaluation.name(), text)));
  };
  if (!client::HasEnded(evaluation.state())) {
    return wrong(" has not ended; its report changes until then");
  }
  if (evaluation.spec().dataset().empty()) {
    return wrong(" ended before all of its data had arrived, and has no dataset");
  }
  report::EvaluationFacts facts;
  facts.evaluation = evaluation;
  ASSAY_ASSIGN_OR_RETURN(v1::Dataset dataset, client.GetDataset(evaluation.spec().dataset()));
  facts.manifest = std::move(*dataset.mutable_manifest());
  facts.manifest.clear_chunks();
  facts.samples = dataset.samples();
  const auto model = client.GetModel(evaluation.spec().model());
  if (!model.ok() && ReasonOf(model.status()) != Reason::kNotFound) return model.status();
  if (model.ok() && model->has_validation()) facts.validation = model->validation();
  request.set_name(evaluation.name());
  ASSAY_ASSIGN_OR_RETURN(const v1::Report report, client.GetReport(request));
  facts.kept = report::PartToKeep(report);
  facts.kept_for = std::move(request);
  return facts;
}

}  // namespace assay::cli
