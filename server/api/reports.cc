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

namespace {

// How many classes there are at least.
int ClassesIn(const v1::Outcome& outcome) {
  int most = std::max({outcome.label(), outcome.prediction(), outcome.attack().clean_prediction()});
  for (const auto& counts : {outcome.smoothing().selection(), outcome.smoothing().estimation()}) {
    for (const v1::ClassCount& count : counts) most = std::max(most, count.index());
  }
  return most + 1;
}

// Reads the outcomes of one condition after the other, of the state in which it was opened.
class OutcomesByCondition {
 public:
  explicit OutcomesByCondition(store::OutcomeReader next_task) : next_task_(std::move(next_task)) {}

  // For conditions in their order.
  absl::StatusOr<report::StoredOutcomes> Read(size_t condition) {
    report::StoredOutcomes stored;
    std::map<std::string, v1::NumericsFingerprint> numerics;
    while (true) {
      if (!task_.has_value()) {
        ASSAY_ASSIGN_OR_RETURN(task_, next_task_());
        if (!task_.has_value()) break;
      }
      if (static_cast<size_t>(task_->condition) != condition) break;
      for (auto& outcome : *task_->outcomes.mutable_outcomes()) {
        stored.outcomes.push_back(std::move(outcome));
      }
      numerics.emplace(task_->numerics.digest(), task_->numerics);
      report::AddPasses(task_->outcomes.passes(), &stored.passes);
      task_.reset();
    }
    for (auto& [digest, fingerprint] : numerics) stored.numerics.push_back(fingerprint);
    return stored;
  }

 private:
  const store::OutcomeReader next_task_;
  // Of the condition to come.
  std::optional<store::TaskOutcomes> task_;
};

}  // namespace

absl::Status CountClasses(store::Evaluations& evaluations, report::ReportInput* input) {
  if (input->validation) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(const auto next_task,
                         evaluations.ReadOutcomes(input->evaluation, /*conditions=*/{}));
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const auto task, next_task());
    if (!task) return absl::OkStatus();
    for (const auto& outcome : task->outcomes.outcomes()) {
      input->num_classes = std::max(input->num_classes, ClassesIn(outcome));
    }
  }
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
  ASSAY_ASSIGN_OR_RETURN(auto next_task, evaluations.ReadOutcomes(proto.name(), /*conditions=*/{}));
  // After the reader was opened: what is committed meanwhile is counted, and not read.
  ASSAY_RETURN_IF_ERROR(CountClasses(evaluations, &input));
  OutcomesByCondition outcomes(std::move(next_task));
  input.read_outcomes = [&outcomes](size_t condition) { return outcomes.Read(condition); };
  return report::BuildReport(input);
}

}  // namespace assay::api
