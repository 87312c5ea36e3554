#include "server/api/reports.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/report/corruption_summary.h"
#include "core/report/report.h"

namespace assay::api {

int ClassesIn(const v1::Outcome& outcome) {
  int most = std::max({outcome.label(), outcome.prediction(), outcome.attack().clean_prediction()});
  for (const auto& counts : {outcome.smoothing().selection(), outcome.smoothing().estimation()}) {
    for (const v1::ClassCount& count : counts) most = std::max(most, count.index());
  }
  return most + 1;
}

absl::StatusOr<std::optional<v1::ModelValidation>> ValidationOf(
    store::Catalog& catalog, const store::EvaluationRecord& evaluation) {
  const auto model = catalog.GetModel(evaluation.proto.spec().model());
  if (!model.ok() && ReasonOf(model.status()) != Reason::kNotFound) return model.status();
  if (!model.ok() || !model->has_validation()) return std::nullopt;
  return model->validation();
}

absl::StatusOr<report::ReportInput> InputOf(store::Catalog& catalog,
                                            store::Evaluations& evaluations,
                                            const store::EvaluationRecord& evaluation,
                                            const std::optional<v1::ModelValidation>& validation) {
  const v1::Evaluation& proto = evaluation.proto;
  report::ReportInput input;
  input.evaluation = proto.name();
  input.model = proto.spec().model();
  input.dataset = proto.spec().dataset();
  input.seed = proto.spec().seed();
  input.allow_missing_classes = proto.spec().allow_missing_classes();

  v1::DatasetManifest manifest;
  if (input.dataset.empty()) {
    ASSAY_ASSIGN_OR_RETURN(manifest, evaluations.GetStreamManifest(proto.name()));
  } else {
    ASSAY_ASSIGN_OR_RETURN(auto dataset, catalog.GetDataset(input.dataset));
    manifest.Swap(dataset.mutable_manifest());
  }
  input.class_names = {manifest.class_names().begin(), manifest.class_names().end()};
  input.shape = manifest.shape();
  input.expected_samples = LimitedSamples(manifest, proto.spec().limit());
  // A model that no engine has seen yet has no outcomes either; the names tell how many classes to
  // expect. A report outlives its model: then the names and the outcomes tell.
  if (validation) input.validation = *validation;
  input.num_classes =
      std::max(2, validation ? validation->num_classes() : manifest.class_names_size());
  return input;
}

absl::StatusOr<v1::Report> ReportOf(store::Catalog& catalog, store::Evaluations& evaluations,
                                    const store::EvaluationRecord& evaluation,
                                    const std::optional<v1::ModelValidation>& validation,
                                    const v1::GetReportRequest& options) {
  const v1::Evaluation& proto = evaluation.proto;
  ASSAY_ASSIGN_OR_RETURN(report::ReportInput input,
                         InputOf(catalog, evaluations, evaluation, validation));
  if (options.confidence_level() != 0) input.confidence_level = options.confidence_level();
  input.alpha = options.alpha();
  input.n = options.n();
  if (options.has_reference_errors()) {
    ASSAY_ASSIGN_OR_RETURN(input.reference_errors,
                           report::ResolveReference(options.reference_errors()));
  }
  for (const v1::Condition& condition : proto.conditions()) {
    input.conditions.push_back({condition, {}});
  }
  ASSAY_ASSIGN_OR_RETURN(const auto next_task,
                         evaluations.ReadOutcomes(proto.name(), /*conditions=*/{}));
  std::map<std::string, v1::NumericsFingerprint> numerics;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(auto task, next_task());
    if (!task) break;
    auto& outcomes = input.conditions.at(static_cast<size_t>(task->condition)).outcomes;
    for (auto& outcome : *task->outcomes.mutable_outcomes()) {
      if (!validation) input.num_classes = std::max(input.num_classes, ClassesIn(outcome));
      outcomes.push_back(std::move(outcome));
    }
    numerics.emplace(task->numerics.digest(), task->numerics);
    const v1::PassCounts& passes = task->outcomes.passes();
    input.passes.set_forwards(input.passes.forwards() + passes.forwards());
    input.passes.set_needed_forwards(input.passes.needed_forwards() + passes.needed_forwards());
    input.passes.set_backwards(input.passes.backwards() + passes.backwards());
    input.passes.set_needed_backwards(input.passes.needed_backwards() + passes.needed_backwards());
  }
  for (auto& [digest, fingerprint] : numerics) input.numerics.push_back(fingerprint);
  return report::BuildReport(input);
}

}  // namespace assay::api
