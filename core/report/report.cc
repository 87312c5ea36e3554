#include "core/report/report.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/report/checks.h"
#include "core/report/corruption_summary.h"
#include "core/report/gate_decision.h"
#include "core/report/rates.h"
#include "core/report/resolved_outcomes.h"
#include "core/report/sections.h"
#include "core/statistics/statistics.h"

namespace assay::report {
namespace {

// The section that a family adds to those that every condition has.
struct FamilySection {
  const char* family;
  absl::Status (*fill)(const SectionInput& input, v1::ConditionReport* report);
};

constexpr FamilySection kFamilySections[] = {
    {kFamilyAttack, FillAttack},     {kFamilySmoothing, FillCertification},
    {kFamilyBounds, FillBounds},     {kFamilyConformal, FillConformal},
    {kFamilySequence, FillSequence},
};

absl::Status CheckInput(const ReportInput& input) {
  // The negation also refuses NaN.
  if (!(input.confidence_level > 0 && input.confidence_level < 1)) {
    return InvalidFields({{"confidence_level", absl::StrCat(input.confidence_level,
                                                            " is not between 0 and 1 (usual: "
                                                            "0.95)")}});
  }
  if (input.num_classes < 1) {
    return Error(Reason::kInternal, absl::StrCat("a report over ", input.num_classes, " classes"));
  }
  const bool recomputes = input.alpha != 0 || input.n != 0;
  if (recomputes && std::none_of(input.conditions.begin(), input.conditions.end(),
                                 [](const ConditionOutcomes& condition) {
                                   return condition.condition.family() == kFamilySmoothing;
                                 })) {
    return InvalidFields({{input.alpha != 0 ? "alpha" : "n",
                           "the evaluation has no smoothing condition to certify again"}});
  }
  absl::flat_hash_set<std::string> ids;
  for (const ConditionOutcomes& condition : input.conditions) {
    if (!ids.insert(condition.condition.id()).second) {
      return Error(Reason::kInternal,
                   absl::StrCat("condition '", condition.condition.id(), "' is there twice"));
    }
    if (static_cast<int64_t>(condition.outcomes.size()) > input.expected_samples) {
      return Error(
          Reason::kInternal,
          absl::StrCat("condition '", condition.condition.id(), "' has ", condition.outcomes.size(),
                       " outcomes for ", input.expected_samples, " samples"));
    }
  }
  return absl::OkStatus();
}

// Each once, in an order that does not depend on which task came first.
std::vector<v1::NumericsFingerprint> DistinctNumerics(
    std::vector<v1::NumericsFingerprint> numerics) {
  const auto key = [](const v1::NumericsFingerprint& f) { return f.SerializeAsString(); };
  std::sort(numerics.begin(), numerics.end(),
            [&](const auto& a, const auto& b) { return key(a) < key(b); });
  numerics.erase(std::unique(numerics.begin(), numerics.end(),
                             [&](const auto& a, const auto& b) { return key(a) == key(b); }),
                 numerics.end());
  return numerics;
}

// What was allowed and has happened.
void AddClassNotes(const ReportInput& input, v1::Report* report) {
  constexpr size_t kMostNames = 10;
  const size_t names = input.class_names.size();
  if (!input.allow_missing_classes || names == 0) return;
  if (input.validation.has_value() && names != static_cast<size_t>(input.num_classes)) {
    report->add_notes(absl::StrCat("the dataset names ", names, " classes, but the model has ",
                                   input.num_classes,
                                   " logits, which was allowed: class i was taken for logit i"));
  }
  if (!report->complete() || report->conditions().empty()) return;
  std::vector<std::string> empty;
  for (const v1::ClassReport& one : report->conditions(0).classes()) {
    const bool named = static_cast<size_t>(one.index()) < names;
    if (named && one.samples() == 0) empty.push_back(one.name());
  }
  if (empty.empty()) return;
  const size_t more = empty.size() - std::min(empty.size(), kMostNames);
  empty.resize(empty.size() - more);
  report->add_notes(absl::StrCat("there are no samples of ", absl::StrJoin(empty, ", "),
                                 more > 0 ? absl::StrCat(" and ", more, " more classes") : "",
                                 ", which was allowed"));
}

// What the numbers of a report are worth whose samples were no fixed number.
void AddEarlyNote(const ReportInput& input, v1::Report* report) {
  if (input.samples_allowed == 0) return;
  report->set_samples_allowed(input.samples_allowed);
  report->add_notes(absl::StrCat(
      "stopped after ", Grouped(input.expected_samples), " of at most ",
      Grouped(input.samples_allowed),
      " samples, the first of a random order, because its gates were decided. The verdicts on "
      "these "
      "rest on confidence sequences, which hold whenever one stops. All other intervals and tests "
      "here are those of a number of samples that was fixed before: after a stop that depends on "
      "what was seen, they are wrong more often than their level says"));
}

}  // namespace

absl::StatusOr<v1::Report> BuildReport(const ReportInput& input) {
  ASSAY_RETURN_IF_ERROR(CheckInput(input));
  const std::vector<std::string> class_names = ClassNames(input);
  v1::Report report;
  report.set_evaluation(input.evaluation);
  report.set_model(input.model);
  report.set_dataset(input.dataset);
  report.set_seed(input.seed);
  report.set_confidence_level(input.confidence_level);
  for (const std::string& name : class_names) report.add_class_names(name);
  for (const v1::NumericsFingerprint& numerics : DistinctNumerics(input.numerics)) {
    *report.add_numerics() = numerics;
  }
  if (input.passes.forwards() > 0) *report.mutable_passes() = input.passes;
  if (input.provenance) *report.mutable_provenance() = *input.provenance;

  size_t most_samples = 0;
  for (const ConditionOutcomes& condition : input.conditions) {
    most_samples = std::max(most_samples, condition.outcomes.size());
  }
  const FisherExact fisher(static_cast<int64_t>(most_samples));
  const SampleColumn confidence = ConfidenceColumn(input);
  std::vector<const SampleColumn*> columns;
  for (const SampleColumn& column : input.columns) columns.push_back(&column);
  columns.push_back(&confidence);
  RateMaker rates(input.confidence_level);
  bool complete = true;
  // Those whose reports have checks still to come, in the order of the report.
  std::vector<Facts> attacks;
  std::deque<ConditionOutcomes> at_budgets;
  const auto add = [&](const ConditionOutcomes& condition) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(const ResolvedCondition resolved, Resolve(condition, input));
    v1::ConditionReport& entry = *report.add_conditions();
    entry.set_id(condition.condition.id());
    entry.set_family(condition.condition.family());
    entry.set_method(condition.condition.method());
    *entry.mutable_parameters() = condition.condition.parameters();
    const SectionInput section{input, condition.condition, resolved, rates};
    FillClasswise(section, class_names, fisher, &entry);
    entry.set_missing(input.expected_samples - entry.samples());
    complete = complete && entry.missing() == 0;
    FillChecks(ConditionChecks(), {&input, &entry}, entry.mutable_checks());
    for (const FamilySection& own : kFamilySections) {
      if (entry.family() != own.family) continue;
      ASSAY_RETURN_IF_ERROR(own.fill(section, &entry));
    }
    FillSlices(section, columns, fisher, &entry);
    if (entry.has_attack()) {
      attacks.push_back(AttackFacts(input, condition, resolved, entry, attacks));
    }
    return absl::OkStatus();
  };
  for (const ConditionOutcomes& condition : input.conditions) {
    if (!IsMinimumNorm(condition.condition)) {
      ASSAY_RETURN_IF_ERROR(add(condition));
      continue;
    }
    // One run, and an entry for each of its budgets.
    ASSAY_ASSIGN_OR_RETURN(const ResolvedCondition run, Resolve(condition, input));
    const auto curve = SecurityCurve(run, rates);
    for (v1::Condition& budget : AtEachBudget(condition.condition)) {
      at_budgets.push_back(AtBudget(condition, std::move(budget)));
      ASSAY_RETURN_IF_ERROR(add(at_budgets.back()));
      v1::ConditionReport& entry = *report.mutable_conditions()->rbegin();
      *entry.mutable_attack()->mutable_security_curve() = curve;
    }
  }
  size_t attack = 0;
  for (v1::ConditionReport& entry : *report.mutable_conditions()) {
    if (!entry.has_attack()) continue;
    FillChecks(AttackChecks(), attacks[attack++], entry.mutable_attack()->mutable_checks());
  }
  FillCorruptionSummary(input.reference_errors.has_value() ? &*input.reference_errors : nullptr,
                        input.shape, &report);
  report.set_complete(complete);
  AddEarlyNote(input, &report);
  AddClassNotes(input, &report);
  return report;
}

}  // namespace assay::report
