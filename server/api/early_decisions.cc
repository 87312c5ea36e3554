#include "server/api/early_decisions.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "core/base/sample_order.h"
#include "core/report/early_decision.h"
#include "server/api/reports.h"

namespace assay::api {
namespace {

bool HasEnded(const v1::Evaluation& evaluation) {
  return evaluation.state() > v1::Evaluation::RUNNING;
}

// Of the outcomes so far.
absl::StatusOr<v1::Decision> DecisionOf(Context& context,
                                        const store::EvaluationRecord& evaluation) {
  const v1::EvaluationSpec& spec = evaluation.proto.spec();
  ASSAY_ASSIGN_OR_RETURN(const auto validation, ValidationOf(context.catalog, evaluation));
  ASSAY_ASSIGN_OR_RETURN(
      const report::ReportInput input,
      InputWithOutcomes(context.catalog, context.evaluations, evaluation, validation));
  return report::DecideEarly(input, SampleOrder(spec.seed(), input.expected_samples),
                             spec.stop_when_decided());
}

}  // namespace

absl::Status LookForDecision(Context& context, const std::string& name) {
  ASSAY_ASSIGN_OR_RETURN(const auto evaluation, context.evaluations.GetEvaluation(name));
  const v1::Evaluation& proto = evaluation.proto;
  if (!proto.spec().has_stop_when_decided() || HasEnded(proto)) return absl::OkStatus();
  ASSAY_ASSIGN_OR_RETURN(const std::optional<int64_t> missing,
                         context.evaluations.FirstMissingSample(name));
  // Computed only when there is something new: reading outcomes takes its time.
  if (missing.has_value() && *missing <= proto.decision().samples()) return absl::OkStatus();
  const absl::StatusOr<v1::Decision> computed = DecisionOf(context, evaluation);
  if (ReasonOf(computed.status()) == Reason::kInternal) {
    // The same outcomes would not be read differently by the next look.
    v1::Failure failure;
    failure.set_reason(std::string(ReasonName(Reason::kInternal)));
    failure.set_message(PublicText(computed.status()));
    LogIfInternal(computed.status());
    ASSAY_RETURN_IF_ERROR(context.evaluations.FailEvaluation(name, failure));
    context.hub.NotifyChanged(name);
    return absl::OkStatus();
  }
  ASSAY_ASSIGN_OR_RETURN(const v1::Decision decision, computed);
  const bool ends = decision.stopped_early() || !missing.has_value();
  ASSAY_RETURN_IF_ERROR(context.evaluations.SetDecision(name, decision, ends));
  context.hub.NotifyChanged(name);
  return absl::OkStatus();
}

absl::Status LookForDecisions(Context& context) {
  store::EvaluationFilter unfinished;
  unfinished.states = {v1::Evaluation::QUEUED, v1::Evaluation::RUNNING};
  store::Page page;
  do {
    ASSAY_ASSIGN_OR_RETURN(const auto listing,
                           context.evaluations.ListEvaluations(page, unfinished));
    for (const store::EvaluationRecord& record : listing.records) {
      const absl::Status status = LookForDecision(context, record.proto.name());
      // The next commit looks again; where there is none to come, it must be seen.
      if (!status.ok()) {
        LogWarning("cannot decide the gates",
                   {{"evaluation", record.proto.name()}, {"error", status.message()}});
      }
    }
    page.token = listing.next_token;
  } while (!page.token.empty());
  return absl::OkStatus();
}

}  // namespace assay::api
