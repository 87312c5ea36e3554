#include "core/report/recomputation.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/report/evaluation_input.h"
#include "core/report/report.h"

namespace assay::report {

namespace {

// Whether slices of a report that is asked for with one are those of the other.
bool SameNumbers(const v1::GetReportRequest& one, const v1::GetReportRequest& other) {
  const auto level = [](const v1::GetReportRequest& request) {
    return request.confidence_level() == 0 ? ReportInput().confidence_level
                                           : request.confidence_level();
  };
  return level(one) == level(other) && one.alpha() == other.alpha() && one.n() == other.n();
}

}  // namespace

v1::Report PartToKeep(const v1::Report& report) {
  v1::Report kept;
  *kept.mutable_numerics() = report.numerics();
  if (report.has_passes()) *kept.mutable_passes() = report.passes();
  if (report.has_provenance()) *kept.mutable_provenance() = report.provenance();
  kept.set_samples_allowed(report.samples_allowed());
  for (const v1::ConditionReport& condition : report.conditions()) {
    if (condition.slices().empty()) continue;
    v1::ConditionReport& entry = *kept.add_conditions();
    entry.set_id(condition.id());
    *entry.mutable_slices() = condition.slices();
  }
  return kept;
}

absl::StatusOr<Recomputation> Recomputation::Create(EvaluationFacts facts,
                                                    const v1::GetReportRequest& request) {
  Recomputation made;
  made.input_ = InputOf(facts.evaluation, facts.manifest, facts.samples, facts.validation);
  ASSAY_RETURN_IF_ERROR(AddRequest(facts.evaluation, request, &made.input_));
  for (size_t i = 0; i < made.input_.conditions.size(); ++i) {
    made.conditions_[made.input_.conditions[i].condition.id()] = i;
  }
  made.input_.numerics = {facts.kept.numerics().begin(), facts.kept.numerics().end()};
  made.input_.passes = facts.kept.passes();
  if (facts.kept.has_provenance()) made.input_.provenance = facts.kept.provenance();
  made.kept_ = std::move(facts.kept);
  made.has_slices_ = SameNumbers(request, facts.kept_for);
  return made;
}

absl::Status Recomputation::Add(absl::string_view condition, v1::Outcome outcome) {
  const auto found = conditions_.find(condition);
  if (found == conditions_.end()) {
    return InvalidFields(
        {{"condition", absl::StrCat("the evaluation has no condition '", condition, "'")}});
  }
  AddOutcome(found->second, std::move(outcome), &input_);
  return absl::OkStatus();
}

absl::StatusOr<v1::Report> Recomputation::Finish() && {
  ASSAY_ASSIGN_OR_RETURN(v1::Report report, BuildReport(input_));
  report.set_samples_allowed(kept_.samples_allowed());
  if (!has_slices_) {
    for (v1::ConditionReport& condition : *report.mutable_conditions()) condition.clear_slices();
    report.add_notes(
        "slices are left out: they follow from images and metadata, and were kept for other "
        "intervals or certificates than these");
    return report;
  }
  for (v1::ConditionReport& condition : *report.mutable_conditions()) {
    for (const v1::ConditionReport& kept : kept_.conditions()) {
      if (kept.id() == condition.id()) *condition.mutable_slices() = kept.slices();
    }
  }
  return report;
}

}  // namespace assay::report
