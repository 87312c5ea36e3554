#include "core/report/evaluation_input.h"

#include <algorithm>
#include <utility>

#include "core/base/errors.h"
#include "core/report/corruption_summary.h"

namespace assay::report {

int ClassesIn(const v1::Outcome& outcome) {
  int most = std::max({outcome.label(), outcome.prediction(), outcome.attack().clean_prediction()});
  for (const auto& counts : {outcome.smoothing().selection(), outcome.smoothing().estimation()}) {
    for (const v1::ClassCount& count : counts) most = std::max(most, count.index());
  }
  return most + 1;
}

ReportInput InputOf(const v1::Evaluation& evaluation, const v1::DatasetManifest& manifest,
                    int64_t samples, const std::optional<v1::ModelValidation>& validation) {
  const v1::EvaluationSpec& spec = evaluation.spec();
  ReportInput input;
  input.evaluation = evaluation.name();
  input.model = spec.model();
  input.dataset = spec.dataset();
  input.seed = spec.seed();
  input.allow_missing_classes = spec.allow_missing_classes();
  input.class_names = {manifest.class_names().begin(), manifest.class_names().end()};
  input.shape = manifest.shape();
  input.expected_samples = spec.limit() > 0 ? std::min(samples, spec.limit()) : samples;
  if (evaluation.decision().stopped_early()) {
    input.samples_allowed = input.expected_samples;
    input.expected_samples = evaluation.decision().samples();
  }
  // A model that no engine has seen yet has no outcomes either; the names tell how many classes to
  // expect. A report outlives its model: then the names and the outcomes tell.
  if (validation) input.validation = *validation;
  input.num_classes =
      std::max(2, validation ? validation->num_classes() : manifest.class_names_size());
  return input;
}

absl::Status AddRequest(const v1::Evaluation& evaluation, const v1::GetReportRequest& request,
                        ReportInput* input) {
  if (request.confidence_level() != 0) input->confidence_level = request.confidence_level();
  input->alpha = request.alpha();
  input->n = request.n();
  if (request.has_reference_errors()) {
    ASSAY_ASSIGN_OR_RETURN(input->reference_errors, ResolveReference(request.reference_errors()));
  }
  for (const v1::Condition& condition : evaluation.conditions()) {
    ConditionOutcomes& added = input->conditions.emplace_back();
    added.condition = condition;
    for (const v1::ConditionFailure& failed : evaluation.failed_conditions()) {
      if (failed.condition() == condition.id()) added.failure = failed.failure().message();
    }
  }
  return absl::OkStatus();
}

void AddOutcome(size_t condition, v1::Outcome outcome, ReportInput* input) {
  if (!input->validation) input->num_classes = std::max(input->num_classes, ClassesIn(outcome));
  input->conditions.at(condition).outcomes.push_back(std::move(outcome));
}

}  // namespace assay::report
