#include "core/report/early_decision.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "core/report/gate_decision.h"
#include "core/report/gate_expression.h"
#include "core/report/gate_sequence.h"
#include "core/report/resolved_outcomes.h"
#include "core/report/sections.h"

namespace assay::report {
namespace {

// What a gate speaks of: one of the runs, at one of its budgets where it has several.
struct Target {
  size_t run = 0;
  v1::Condition condition;
};

// nullopt where no run has the condition.
std::optional<Target> TargetOf(const std::string& id,
                               const std::vector<const v1::Condition*>& runs) {
  for (size_t i = 0; i < runs.size(); ++i) {
    if (!IsMinimumNorm(*runs[i])) {
      if (runs[i]->id() == id) return Target{i, *runs[i]};
      continue;
    }
    for (v1::Condition& budget : AtEachBudget(*runs[i])) {
      if (budget.id() == id) return Target{i, std::move(budget)};
    }
  }
  return std::nullopt;
}

std::string VerdictText(GateVerdict verdict) { return absl::AsciiStrToLower(Name(verdict)); }

// How many of the first positions every condition has.
size_t CompleteSamples(const ReportInput& input, const std::vector<int64_t>& order,
                       const std::vector<size_t>& rank) {
  size_t complete = order.size();
  for (const ConditionOutcomes& run : input.conditions) {
    std::vector<bool> there(order.size());
    for (const v1::Outcome& outcome : run.outcomes) {
      there[rank[static_cast<size_t>(outcome.sample())]] = true;
    }
    const auto missing = std::find(there.begin(), there.end(), false);
    complete = std::min(complete, static_cast<size_t>(missing - there.begin()));
  }
  return complete;
}

// The outcomes under conditions, resolved once however many gates speak of them.
class Resolver {
 public:
  explicit Resolver(const ReportInput& input) : input_(input) {}

  absl::StatusOr<const ResolvedCondition*> Of(const Target& target) {
    const auto found = resolved_.find(target.condition.id());
    if (found != resolved_.end()) return &found->second.resolved;
    const ConditionOutcomes& run = input_.conditions[target.run];
    if (IsMinimumNorm(run.condition)) ASSAY_RETURN_IF_ERROR(Resolve(run, input_).status());
    Entry& entry = resolved_[target.condition.id()];
    entry.at_budget = IsMinimumNorm(run.condition) ? AtBudget(run, target.condition) : run;
    ASSAY_ASSIGN_OR_RETURN(entry.resolved, Resolve(entry.at_budget, input_));
    return &entry.resolved;
  }

 private:
  struct Entry {
    // What `resolved` points into.
    ConditionOutcomes at_budget;
    ResolvedCondition resolved;
  };
  const ReportInput& input_;
  std::map<std::string, Entry> resolved_;
};

// One gate over the first `samples` of the order; `ranked` has them by their place in it.
v1::Decision::Gate Watch(const GateExpression& gate, GateSequence& sequence,
                         const std::vector<const ResolvedSample*>& ranked, size_t samples,
                         bool all) {
  v1::Decision::Gate decided;
  decided.set_expression(gate.text);
  size_t seen = 0;
  while (seen < samples) {
    sequence.Add(*ranked[seen++]);
    if (sequence.Verdict() != GateVerdict::kUndecided) break;
  }
  if (all && seen == samples) sequence.Finish();
  const Interval ends = sequence.Ends();
  decided.set_verdict(VerdictText(sequence.Verdict()));
  decided.set_samples(static_cast<int64_t>(seen));
  decided.set_lower(ends.lower);
  decided.set_upper(ends.upper);
  return decided;
}

}  // namespace

double LevelOf(const v1::StopWhenDecided& stop) {
  return stop.confidence_level() == 0 ? 0.95 : stop.confidence_level();
}

std::vector<FieldViolation> CheckStopWhenDecided(const v1::StopWhenDecided& stop,
                                                 const std::vector<v1::Condition>& conditions,
                                                 const std::vector<std::string>& class_names) {
  std::vector<FieldViolation> violations;
  const std::string field = "stop_when_decided";
  // The negation also refuses NaN.
  const double level = LevelOf(stop);
  if (!(level > 0 && level < 1)) {
    violations.push_back({absl::StrCat(field, ".confidence_level"),
                          absl::StrCat(level, " is not between 0 and 1 (usual: 0.95)")});
  }
  if (stop.gates().empty()) {
    violations.push_back(
        {absl::StrCat(field, ".gates"), "there are none, so nothing would decide when to stop"});
  }
  constexpr int kMostGates = 100;
  if (stop.gates_size() > kMostGates) {
    violations.push_back({absl::StrCat(field, ".gates"),
                          absl::StrCat("there are ", stop.gates_size(), "; at most ", kMostGates,
                                       " can be followed, for each is looked at again and again")});
  }
  for (const v1::Condition& condition : conditions) {
    if (!NeedsWholeDataset(condition)) continue;
    violations.push_back(
        {field, absl::StrCat(condition.id(),
                             " looks at all samples together, so it cannot stop before the last; "
                             "evaluate it by itself")});
  }
  GateScope scope;
  scope.conditions = ScopeOf(conditions);
  scope.class_names = class_names;
  std::vector<const v1::Condition*> runs;
  for (const v1::Condition& condition : conditions) runs.push_back(&condition);
  for (int i = 0; i < stop.gates_size(); ++i) {
    const auto check = [&]() -> absl::Status {
      ASSAY_ASSIGN_OR_RETURN(const GateExpression gate, ParseGate(stop.gates(i)));
      ASSAY_RETURN_IF_ERROR(CheckGate(gate, scope));
      std::optional<Target> target;
      if (gate.metric->of_condition) {
        ASSAY_ASSIGN_OR_RETURN(const ScopeCondition found, FindCondition(gate.condition, scope));
        target = TargetOf(found.id, runs);
      }
      return CheckWatchable(gate, target.has_value() ? &target->condition : nullptr);
    };
    const absl::Status status = check();
    if (status.ok()) continue;
    violations.push_back({absl::StrCat(field, ".gates[", i, "]"),
                          absl::StrCat("'", stop.gates(i), "': ", status.message())});
  }
  return violations;
}

absl::StatusOr<v1::Decision> DecideEarly(const ReportInput& input,
                                         const std::vector<int64_t>& order,
                                         const v1::StopWhenDecided& stop) {
  std::vector<size_t> rank(order.size());
  for (size_t i = 0; i < order.size(); ++i) rank[static_cast<size_t>(order[i])] = i;
  const size_t samples = CompleteSamples(input, order, rank);
  const bool all = samples == order.size();

  GateScope scope;
  std::vector<const v1::Condition*> runs;
  for (const ConditionOutcomes& run : input.conditions) {
    runs.push_back(&run.condition);
    for (ScopeCondition& one : ScopeOf(std::vector<v1::Condition>{run.condition})) {
      scope.conditions.push_back(std::move(one));
    }
  }
  scope.class_names = ClassNames(input);
  const double alpha = AlphaOfEnd(LevelOf(stop), stop.gates_size());

  v1::Decision decision;
  decision.set_samples(static_cast<int64_t>(samples));
  Resolver resolver(input);
  for (const std::string& text : stop.gates()) {
    ASSAY_ASSIGN_OR_RETURN(const GateExpression gate, ParseGate(text));
    // Classes can turn out to be missing only when the model has been looked at: such a gate is
    // never decided, and whoever judges it by the report is told why.
    const absl::Status check = CheckGate(gate, scope);
    if (!check.ok()) {
      v1::Decision::Gate& undecided = *decision.add_gates();
      undecided.set_expression(text);
      undecided.set_verdict(VerdictText(GateVerdict::kUndecided));
      undecided.set_samples(static_cast<int64_t>(samples));
      undecided.set_upper(1);
      continue;
    }
    ASSAY_ASSIGN_OR_RETURN(const ScopeCondition found, FindCondition(gate.condition, scope));
    const std::optional<Target> target = TargetOf(found.id, runs);
    if (!target.has_value()) {
      return Error(Reason::kInternal, absl::StrCat("no condition '", found.id, "'")).ToStatus();
    }
    int class_index = -1;
    if (gate.metric->second == SecondArgument::kClass) {
      ASSAY_ASSIGN_OR_RETURN(class_index, FindClass(gate.class_text, scope.class_names));
    }
    ASSAY_ASSIGN_OR_RETURN(const ResolvedCondition* const resolved, resolver.Of(*target));
    std::vector<const ResolvedSample*> ranked(order.size());
    for (const ResolvedSample& sample : resolved->samples) {
      ranked[rank[static_cast<size_t>(sample.outcome->sample())]] = &sample;
    }
    const auto sequence = NewGateSequence(gate, input.num_classes, class_index, alpha);
    *decision.add_gates() = Watch(gate, *sequence, ranked, samples, all);
  }
  decision.set_stopped_early(!all && AllDecided(decision));
  return decision;
}

bool AllDecided(const v1::Decision& decision) {
  return std::all_of(decision.gates().begin(), decision.gates().end(),
                     [](const v1::Decision::Gate& gate) { return gate.verdict() != "undecided"; });
}

}  // namespace assay::report
