#include "core/report/report.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/base/pass_counts.h"
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
    if (input.read_outcomes && !input.confidence && condition.condition.family() == kFamilyClean) {
      return Error(Reason::kInternal, "outcomes are read without the confidence of the clean ones");
    }
    if (!ids.insert(condition.condition.id()).second) {
      return Error(Reason::kInternal,
                   absl::StrCat("condition '", condition.condition.id(), "' is there twice"));
    }
  }
  return absl::OkStatus();
}

// Goes through the conditions of an input, with the outcomes of one of them in memory where they
// are read.
class Conditions {
 public:
  explicit Conditions(const ReportInput& input)
      : input_(input), numerics_(input.numerics), passes_(input.passes) {}

  // Valid until the next call.
  absl::StatusOr<const ConditionOutcomes*> Read(size_t i) {
    const ConditionOutcomes* condition = &input_.conditions[i];
    if (input_.read_outcomes) {
      read_.condition = condition->condition;
      read_.failure = condition->failure;
      read_.outcomes.clear();
      ASSAY_ASSIGN_OR_RETURN(StoredOutcomes stored, input_.read_outcomes(i));
      read_.outcomes = std::move(stored.outcomes);
      numerics_.insert(numerics_.end(), stored.numerics.begin(), stored.numerics.end());
      AddPasses(stored.passes, &passes_);
      condition = &read_;
    }
    const auto outcomes = static_cast<int64_t>(condition->outcomes.size());
    if (outcomes <= input_.expected_samples) return condition;
    return Error(Reason::kInternal,
                 absl::StrCat("condition '", condition->condition.id(), "' has ", outcomes,
                              " outcomes for ", input_.expected_samples, " samples"));
  }

  // Of those that have been read, too.
  const std::vector<v1::NumericsFingerprint>& numerics() const { return numerics_; }
  const v1::PassCounts& passes() const { return passes_; }

 private:
  const ReportInput& input_;
  ConditionOutcomes read_;
  std::vector<v1::NumericsFingerprint> numerics_;
  v1::PassCounts passes_;
};

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
  if (input.provenance) *report.mutable_provenance() = *input.provenance;

  // Made anew for a condition with more samples than those before.
  int64_t most_samples = 0;
  FisherExact fisher(most_samples);
  const SampleColumn confidence = input.confidence ? *input.confidence : ConfidenceColumn(input);
  std::vector<const SampleColumn*> columns;
  for (const SampleColumn& column : input.columns) columns.push_back(&column);
  columns.push_back(&confidence);
  RateMaker rates(input.confidence_level);
  bool complete = true;
  // Those whose reports have checks still to come, in the order of the report.
  std::vector<Facts> attacks;
  // What those point to.
  std::deque<v1::Condition> attack_conditions;
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
    if (entry.missing() > 0) entry.set_missing_reason(condition.failure);
    complete = complete && entry.missing() == 0;
    for (const FamilySection& own : kFamilySections) {
      if (entry.family() != own.family) continue;
      ASSAY_RETURN_IF_ERROR(own.fill(section, &entry));
    }
    FillSlices(section, columns, fisher, &entry);
    if (entry.has_attack()) {
      attack_conditions.push_back(condition.condition);
      attacks.push_back(AttackFacts(input, attack_conditions.back(), resolved, entry, attacks));
    }
    return absl::OkStatus();
  };
  Conditions conditions(input);
  for (size_t i = 0; i < input.conditions.size(); ++i) {
    ASSAY_ASSIGN_OR_RETURN(const ConditionOutcomes* const condition, conditions.Read(i));
    if (static_cast<int64_t>(condition->outcomes.size()) > most_samples) {
      most_samples = static_cast<int64_t>(condition->outcomes.size());
      fisher = FisherExact(most_samples);
    }
    if (!IsMinimumNorm(condition->condition)) {
      ASSAY_RETURN_IF_ERROR(add(*condition));
      continue;
    }
    // One run, and an entry for each of its budgets.
    ASSAY_ASSIGN_OR_RETURN(const ResolvedCondition run, Resolve(*condition, input));
    const auto curve = SecurityCurve(run, rates);
    for (v1::Condition& budget : AtEachBudget(condition->condition)) {
      ASSAY_RETURN_IF_ERROR(add(AtBudget(*condition, std::move(budget))));
      v1::ConditionReport& entry = *report.mutable_conditions()->rbegin();
      *entry.mutable_attack()->mutable_security_curve() = curve;
    }
  }
  for (const v1::NumericsFingerprint& numerics : DistinctNumerics(conditions.numerics())) {
    *report.add_numerics() = numerics;
  }
  if (conditions.passes().forwards() > 0) *report.mutable_passes() = conditions.passes();
  for (v1::ConditionReport& entry : *report.mutable_conditions()) {
    FillChecks(ConditionChecks(), {&input, &entry, &conditions.numerics()}, entry.mutable_checks());
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
