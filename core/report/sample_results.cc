#include "core/report/sample_results.h"

#include <utility>

#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/report/resolved_outcomes.h"
#include "core/report/sections.h"

namespace assay::report {
namespace {

std::vector<SampleResult> ResultsOf(const ResolvedCondition& resolved) {
  std::vector<SampleResult> results;
  results.reserve(resolved.samples.size());
  for (const ResolvedSample& sample : resolved.samples) {
    results.push_back({sample.outcome->sample(), sample.label(), sample.correct,
                       sample.correct ? sample.certificate.radius : 0});
  }
  return results;
}

}  // namespace

absl::StatusOr<std::vector<SampleResult>> SampleResults(const ConditionOutcomes& run,
                                                        const std::string& id,
                                                        const ReportInput& input) {
  ASSAY_ASSIGN_OR_RETURN(const ResolvedCondition resolved, Resolve(run, input));
  if (!IsMinimumNorm(run.condition)) return ResultsOf(resolved);
  for (v1::Condition& budget : AtEachBudget(run.condition)) {
    if (budget.id() != id) continue;
    const ConditionOutcomes at_budget = AtBudget(run, std::move(budget));
    ASSAY_ASSIGN_OR_RETURN(const ResolvedCondition one, Resolve(at_budget, input));
    return ResultsOf(one);
  }
  return Error(Reason::kInternal, "a condition without the budget that its report has").ToStatus();
}

}  // namespace assay::report
