#include "server/repository/verdicts.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"
#include "core/report/evaluation_input.h"
#include "core/report/gate_scope.h"
#include "core/report/gates.h"
#include "core/report/sample_results.h"
#include "server/api/decided_samples.h"
#include "server/api/reports.h"

namespace assay::repository {
namespace {

constexpr char kBaselineLabel[] = "gate/baseline";
constexpr char kUndecidedLabel[] = "gate/undecided";
constexpr char kLevelLabel[] = "gate/confidence-level";
constexpr size_t kShortDigits = 12;

std::string GateLabel(size_t number) { return absl::StrCat("gate/", number); }

std::string LabelOf(const v1::Evaluation& evaluation, const std::string& key) {
  const auto found = evaluation.spec().labels().find(key);
  return found == evaluation.spec().labels().end() ? "" : found->second;
}

std::string Lower(report::GateVerdict verdict) {
  return absl::AsciiStrToLower(report::Name(verdict));
}

v1::RepositoryGate GateOf(const report::GateResult& result) {
  v1::RepositoryGate gate;
  gate.set_expression(result.expression);
  gate.set_verdict(Lower(result.verdict));
  gate.set_holds(result.holds);
  gate.set_text(report::GateLine(result));
  return gate;
}

v1::RepositoryGate NotJudged(const report::GateExpression& gate, report::GateVerdict verdict,
                             bool holds, const std::string& why) {
  report::GateResult result;
  result.expression = gate.text;
  result.verdict = verdict;
  result.holds = holds;
  result.why = why;
  return GateOf(result);
}

std::string Overall(const std::vector<v1::RepositoryGate>& gates) {
  const auto any = [&](report::GateVerdict verdict) {
    return std::any_of(gates.begin(), gates.end(), [&](const v1::RepositoryGate& gate) {
      return !gate.holds() && gate.verdict() == Lower(verdict);
    });
  };
  for (const report::GateVerdict verdict :
       {report::GateVerdict::kFailed, report::GateVerdict::kError,
        report::GateVerdict::kUndecided}) {
    if (any(verdict)) return Lower(verdict);
  }
  return Lower(report::GateVerdict::kPassed);
}

// What became of the samples under one condition of the report `id`.
absl::StatusOr<std::vector<report::SampleResult>> ResultsOf(api::Context& context,
                                                            const store::EvaluationRecord& record,
                                                            const std::string& id, int classes) {
  const v1::Evaluation& evaluation = record.proto;
  int position = -1;
  for (int i = 0; i < evaluation.conditions_size(); ++i) {
    for (const report::ScopeCondition& entry :
         report::ScopeOf(std::vector<v1::Condition>{evaluation.conditions(i)})) {
      if (entry.id == id) position = i;
    }
  }
  if (position < 0) {
    return Error(Reason::kInternal, absl::StrCat(evaluation.name(), " has no condition '", id,
                                                 "', which its report has"))
        .ToStatus();
  }
  report::ConditionOutcomes run;
  run.condition = evaluation.conditions(position);
  ASSAY_ASSIGN_OR_RETURN(
      const auto next_task,
      api::ReadDecidedOutcomes(context.catalog, context.evaluations, evaluation, {position}));
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(auto task, next_task());
    if (!task) break;
    for (auto& outcome : *task->outcomes.mutable_outcomes()) {
      run.outcomes.push_back(std::move(outcome));
    }
  }
  ASSAY_ASSIGN_OR_RETURN(const auto validation, api::ValidationOf(context.catalog, record));
  ASSAY_ASSIGN_OR_RETURN(report::ReportInput input,
                         api::InputOf(context.catalog, context.evaluations, record, validation));
  // As the report has it, which has seen all outcomes.
  input.num_classes = classes;
  return report::SampleResults(run, id, input);
}

}  // namespace

std::string ShortDigest(const Trigger& trigger) { return trigger.digest.substr(0, kShortDigits); }

Labels EvaluationLabels(const Trigger& trigger, const std::string& model, int64_t version,
                        const std::string& baseline) {
  Labels labels = {{kModelLabel, model},
                   {kVersionLabel, absl::StrCat(version)},
                   {kTriggerLabel, ShortDigest(trigger)}};
  for (size_t i = 0; i < trigger.gates.size(); ++i) {
    labels[GateLabel(i + 1)] = trigger.gates[i].text;
  }
  if (trigger.gates.empty()) return labels;
  if (!baseline.empty()) labels[kBaselineLabel] = baseline;
  if (trigger.undecided_passes) labels[kUndecidedLabel] = "pass";
  if (trigger.confidence_level != kDefaultLevel) {
    labels[kLevelLabel] = absl::StrFormat("%.17g", trigger.confidence_level);
  }
  return labels;
}

bool HasGates(const v1::Evaluation& evaluation) {
  return !LabelOf(evaluation, GateLabel(1)).empty();
}

std::string BaselineOf(const v1::Evaluation& evaluation) {
  return LabelOf(evaluation, kBaselineLabel);
}

absl::StatusOr<std::optional<Verdicts>> Judge(api::Context& context,
                                              const store::EvaluationRecord& evaluation) {
  std::vector<report::GateExpression> gates;
  bool compares = false;
  for (size_t i = 1;; ++i) {
    const std::string text = LabelOf(evaluation.proto, GateLabel(i));
    if (text.empty()) break;
    ASSAY_ASSIGN_OR_RETURN(const report::GateExpression gate, report::ParseGate(text));
    compares = compares || gate.against_baseline;
    gates.push_back(gate);
  }
  Verdicts verdicts;
  verdicts.baseline = BaselineOf(evaluation.proto);
  const bool undecided_passes = LabelOf(evaluation.proto, kUndecidedLabel) == "pass";
  v1::GetReportRequest request;
  if (const std::string level = LabelOf(evaluation.proto, kLevelLabel); !level.empty()) {
    double number = 0;
    if (!absl::SimpleAtod(level, &number)) {
      return InvalidFields({{kLevelLabel, absl::StrCat("'", level, "' is no number")}});
    }
    request.set_confidence_level(number);
  }

  // Why nothing can be compared; empty: it can.
  std::string no_baseline;
  std::optional<store::EvaluationRecord> baseline;
  if (compares && verdicts.baseline.empty()) {
    no_baseline = "there was no earlier version with an evaluation of this dataset to compare with";
  } else if (compares) {
    auto found = context.evaluations.GetEvaluation(verdicts.baseline);
    if (!found.ok() && ReasonOf(found.status()) != Reason::kNotFound) return found.status();
    if (!found.ok()) {
      no_baseline = absl::StrCat("the baseline ", verdicts.baseline, " has been deleted");
    } else if (found->proto.state() < v1::Evaluation::SUCCEEDED) {
      return std::nullopt;
    } else if (found->proto.state() != v1::Evaluation::SUCCEEDED) {
      no_baseline =
          absl::StrCat("the baseline ", verdicts.baseline, " has ",
                       absl::AsciiStrToLower(v1::Evaluation::State_Name(found->proto.state())));
    } else {
      baseline = *std::move(found);
    }
  }

  ASSAY_ASSIGN_OR_RETURN(const std::shared_ptr<const v1::Report> report,
                         context.reports.Get(evaluation, request));
  std::shared_ptr<const v1::Report> baseline_report;
  report::GateInput input;
  input.report = report.get();
  input.undecided_passes = undecided_passes;
  if (evaluation.proto.spec().has_stop_when_decided()) input.stopping = &evaluation.proto;
  if (baseline.has_value()) {
    ASSAY_ASSIGN_OR_RETURN(baseline_report, context.reports.Get(*baseline, request));
    input.baseline = baseline_report.get();
    if (report->samples_allowed() == 0 && baseline_report->samples_allowed() == 0 &&
        report::CheckBaseline(*report, *baseline_report).ok()) {
      for (const std::string& id : report::ConditionsToPair(gates, *report)) {
        // Which its own gate says.
        const auto& entries = baseline_report->conditions();
        if (std::none_of(entries.begin(), entries.end(),
                         [&](const v1::ConditionReport& entry) { return entry.id() == id; })) {
          continue;
        }
        report::SamplePairs& pairs = input.pairs[id];
        ASSAY_ASSIGN_OR_RETURN(pairs.here,
                               ResultsOf(context, evaluation, id, report->class_names_size()));
        ASSAY_ASSIGN_OR_RETURN(
            pairs.baseline, ResultsOf(context, *baseline, id, baseline_report->class_names_size()));
      }
    }
  }
  for (const report::GateExpression& gate : gates) {
    verdicts.gates.push_back(
        gate.against_baseline && !no_baseline.empty()
            ? NotJudged(gate, report::GateVerdict::kUndecided, undecided_passes, no_baseline)
            : GateOf(report::JudgeGate(gate, input)));
  }
  verdicts.overall = Overall(verdicts.gates);
  return std::optional<Verdicts>(std::move(verdicts));
}

}  // namespace assay::repository
