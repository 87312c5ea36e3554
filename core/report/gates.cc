#include "core/report/gates.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/errors.h"
#include "core/report/early_decision.h"
#include "core/report/gate_metrics.h"
#include "core/report/gate_scope.h"
#include "core/report/gate_sequence.h"
#include "core/report/pair_counts.h"
#include "core/statistics/paired_difference.h"
#include "core/statistics/separate_difference.h"

namespace assay::report {
namespace {

// Here and in the baseline; nullopt where the samples are not the same.
std::optional<PairCounts> Compare(const GateExpression& gate, int class_index,
                                  const SamplePairs& pairs) {
  const auto right = [&](const SampleResult& result) {
    return result.correct && result.radius >= gate.radius.value_or(0) - kSameRadius;
  };
  if (pairs.here.size() != pairs.baseline.size()) return std::nullopt;
  PairCounts counts;
  for (size_t i = 0; i < pairs.here.size(); ++i) {
    const SampleResult &here = pairs.here[i], &there = pairs.baseline[i];
    if (here.sample != there.sample || here.label != there.label) return std::nullopt;
    if (gate.metric->second == SecondArgument::kClass && here.label != class_index) continue;
    counts.Add(right(here), right(there));
  }
  if (counts.samples == 0) return std::nullopt;
  return counts;
}

// Differences of these are differences between shares of the same samples.
bool CanPair(const GateExpression& gate) {
  switch (gate.metric->metric) {
    case Metric::kAccuracy:
    case Metric::kClassAccuracy:
      return gate.against_baseline && gate.factor == 1;
    case Metric::kCertifiedAccuracy:
      // Bounds keep what is certified elsewhere.
      return gate.against_baseline && gate.factor == 1 && gate.radius.has_value();
    default:
      return false;
  }
}

absl::Status OtherData(const v1::Report& baseline, const std::string& its,
                       const std::string& ours) {
  return Error(
      Reason::kInvalidArgument,
      absl::StrCat("the baseline ", baseline.evaluation(), " is of ", its, ", and this is of ",
                   ours, "; only evaluations of the same dataset can be compared"));
}

// Of a ready-made set, whose parts are evaluations of datasets of their own: whether those of the
// condition are the same, or of every condition where `id` is empty.
absl::Status CheckSameData(const v1::Report& report, const v1::Report& baseline,
                           const std::string& id) {
  constexpr char kDataset[] = "dataset";
  for (const v1::ConditionReport& entry : report.conditions()) {
    if (!id.empty() && entry.id() != id) continue;
    const v1::ConditionReport* const other = EntryOf(baseline, entry.id());
    if (other == nullptr) continue;
    const auto ours = entry.parameters().find(kDataset);
    const auto its = other->parameters().find(kDataset);
    if (ours == entry.parameters().end() || its == other->parameters().end()) continue;
    if (ours->second != its->second) return OtherData(baseline, its->second, ours->second);
  }
  return absl::OkStatus();
}

// One gate on its way to a result.
class GateJudge {
 public:
  GateJudge(const GateExpression& gate, const GateInput& input) : gate_(gate), input_(input) {
    result_.expression = gate.text;
  }

  GateResult Run() {
    result_.error = Prepare();
    if (!result_.error.ok()) {
      result_.why = std::string(result_.error.message());
      return std::move(result_);
    }
    if (const v1::Decision::Gate* own = OwnDecision()) {
      JudgeByDecision(*own);
    } else if (gate_.metric->metric == Metric::kCheck) {
      JudgeCheck();
    } else {
      JudgeMetric();
    }
    // Whatever the samples say that are there: those that came first are no random choice, and who
    // looks again and again until a number is right has no interval.
    const int64_t missing =
        Missing(*input_.report) + (gate_.against_baseline ? Missing(*input_.baseline) : 0);
    if (missing > 0) {
      result_.verdict = GateVerdict::kUndecided;
      result_.more_samples.reset();
      result_.why = absl::StrCat("still missing: ", Grouped(missing), " samples");
    }
    result_.holds = result_.verdict == GateVerdict::kPassed ||
                    (result_.verdict == GateVerdict::kUndecided && input_.undecided_passes);
    return std::move(result_);
  }

 private:
  // What the gate speaks of, in the report and in the baseline.
  absl::Status Prepare() {
    const GateScope scope = ScopeOf(*input_.report);
    ASSAY_RETURN_IF_ERROR(CheckGate(gate_, scope));
    if (gate_.metric->of_condition) {
      ASSAY_ASSIGN_OR_RETURN(const ScopeCondition condition, FindCondition(gate_.condition, scope));
      id_ = condition.id;
    }
    if (gate_.metric->second == SecondArgument::kClass) {
      ASSAY_ASSIGN_OR_RETURN(class_index_, FindClass(gate_.class_text, scope.class_names));
    }
    if (OwnDecision() != nullptr) {
      // Levels that were written alike are equal.
      const double level = LevelOf(input_.stopping->spec().stop_when_decided());
      if (input_.report->confidence_level() != level) {
        return Error(
            Reason::kInvalidArgument,
            absl::StrCat("the evaluation was to stop when this is decided at the confidence "
                         "level ",
                         level, ", and the report is at ", input_.report->confidence_level(),
                         "; ask for the level ", level));
      }
    }
    if (!gate_.against_baseline) return absl::OkStatus();
    if (input_.baseline == nullptr) {
      return Error(Reason::kInvalidArgument, "there is no baseline; give --baseline");
    }
    ASSAY_RETURN_IF_ERROR(CheckBaseline(*input_.report, *input_.baseline));
    GateScope other = ScopeOf(*input_.baseline);
    other.owner = "the baseline";
    ASSAY_RETURN_IF_ERROR(CheckGate(gate_, other));
    return CheckSameData(*input_.report, *input_.baseline, id_);
  }

  // Of the gate's condition, or of all.
  int64_t Missing(const v1::Report& report) const {
    if (const v1::ConditionReport* entry = EntryOf(report, id_)) return entry->missing();
    int64_t missing = 0;
    for (const v1::ConditionReport& entry : report.conditions()) missing += entry.missing();
    return missing;
  }

  void JudgeCheck() {
    const v1::ConditionReport& condition = *EntryOf(*input_.report, id_);
    result_.verdict = GateVerdict::kUndecided;
    result_.why = "the report does not have the check";
    for (const auto* checks : {&condition.checks(), &condition.attack().checks()}) {
      for (const v1::Check& check : *checks) {
        if (check.name() != gate_.check) continue;
        const bool passed =
            check.verdict() == v1::Check::PASSED || check.verdict() == v1::Check::NOT_APPLICABLE;
        result_.verdict = passed ? GateVerdict::kPassed : GateVerdict::kFailed;
        result_.why = absl::StrCat(v1::Check::Verdict_Name(check.verdict()),
                                   check.message().empty() ? "" : ": ", check.message());
        if (check.has_value()) result_.value = check.value();
        if (check.has_threshold()) result_.threshold = check.threshold();
        return;
      }
    }
  }

  // Whether a gate of the evaluation is this one, written in another way. That changes nothing of
  // what is known: the samples were drawn until it was decided.
  bool AsksTheSame(const std::string& expression) const {
    const auto other = ParseGate(expression);
    if (!other.ok() || other->metric != gate_.metric || other->comparison != gate_.comparison ||
        other->against_baseline != gate_.against_baseline || other->factor != gate_.factor ||
        other->offset != gate_.offset || other->radius != gate_.radius ||
        other->slice != gate_.slice || other->check != gate_.check) {
      return false;
    }
    const GateScope scope = ScopeOf(*input_.report);
    if (gate_.metric->of_condition) {
      const auto condition = FindCondition(other->condition, scope);
      if (!condition.ok() || condition->id != id_) return false;
    }
    if (gate_.metric->second != SecondArgument::kClass) return true;
    const auto index = FindClass(other->class_text, scope.class_names);
    return index.ok() && *index == class_index_;
  }

  // What the evaluation has decided about this gate; null where it did not watch it.
  const v1::Decision::Gate* OwnDecision() const {
    if (input_.stopping == nullptr) return nullptr;
    const auto& gates = input_.stopping->decision().gates();
    const auto found = std::find_if(gates.begin(), gates.end(), [&](const auto& one) {
      return one.expression() == gate_.text || AsksTheSame(one.expression());
    });
    return found == gates.end() ? nullptr : &*found;
  }

  void JudgeByDecision(const v1::Decision::Gate& own) {
    const Measurement here = MeasureIn(*input_.report);
    result_.value = here.value;
    result_.interval = Interval{own.lower(), own.upper()};
    result_.threshold = gate_.offset;
    const bool passed = own.verdict() == "passed";
    const std::string note = here.note.empty() ? "" : absl::StrCat(" (", here.note, ")");
    if (passed || own.verdict() == "failed") {
      result_.verdict = passed ? GateVerdict::kPassed : GateVerdict::kFailed;
      result_.why =
          absl::StrCat(Reasoning(*gate_.comparison, passed), ", after ", Grouped(own.samples()),
                       own.samples() == 1 ? " sample" : " samples",
                       " in random order, by a confidence sequence", note);
      return;
    }
    result_.verdict = GateVerdict::kUndecided;
    result_.why = "the threshold is inside the interval of the confidence sequence";
    if (Undefined(here, "") || here.sequence == nullptr) return;
    const v1::StopWhenDecided& stop = input_.stopping->spec().stop_when_decided();
    const double alpha = AlphaOfEnd(LevelOf(stop), stop.gates_size());
    const Decision decision = Decide({*here.value, gate_.offset, *gate_.comparison,
                                      [&](double scale) { return here.sequence(alpha, scale); },
                                      here.limits, here.samples, here.unit});
    if (decision.verdict != GateVerdict::kUndecided) return;
    result_.why = absl::StrCat(decision.why, " (a confidence sequence over all samples)", note);
    result_.more_samples = decision.more_samples;
  }

  // Whether intervals of a report do not hold, because its number of samples was chosen by them.
  bool HasNoIntervals(const v1::Report& report, absl::string_view whose) {
    if (report.samples_allowed() == 0) return false;
    result_.verdict = GateVerdict::kUndecided;
    result_.why = absl::StrCat(
        whose,
        " stopped early, when other gates were decided, and no interval holds for a number "
        "of samples that was chosen so; evaluate it with this gate among them, or without "
        "stopping");
    return true;
  }

  void JudgeMetric() {
    const double level = input_.report->confidence_level();
    Measurement here = MeasureIn(*input_.report), there;
    const bool by_interval = here.interval != nullptr || gate_.against_baseline;
    if (by_interval && HasNoIntervals(*input_.report, "the evaluation")) {
      result_.value = here.value;
      return;
    }
    if (gate_.against_baseline && HasNoIntervals(*input_.baseline, "the baseline")) {
      result_.value = here.value;
      return;
    }
    std::optional<PairCounts> counts;
    if (gate_.against_baseline) {
      there = MeasureIn(*input_.baseline);
      // Then all numbers are of these samples, at the radius itself.
      if (here.value.has_value() && there.value.has_value()) counts = CountPairs();
      if (counts.has_value()) {
        const std::string unit = here.unit;
        here = MeasureShare(counts->first_right(), counts->samples, unit);
        there = MeasureShare(counts->second_right(), counts->samples, unit);
      }
    }
    result_.value = here.value;
    if (here.value.has_value() && here.interval != nullptr)
      result_.interval = here.interval(level, 1);
    if (gate_.against_baseline) {
      JudgeAgainst(here, there, counts, level);
    } else {
      result_.threshold = gate_.offset;
      if (!Undefined(here, "")) {
        Question question{*here.value, gate_.offset, *gate_.comparison, nullptr,
                          here.limits, here.samples, here.unit};
        if (here.interval != nullptr) {
          question.interval = [&](double scale) { return here.interval(level, scale); };
        }
        Take(Decide(question));
      }
    }
    if (!here.note.empty()) absl::StrAppend(&result_.why, " (", here.note, ")");
  }

  Measurement MeasureIn(const v1::Report& report) const {
    return Measure(gate_, report, EntryOf(report, id_), class_index_);
  }

  // nullopt where the metric cannot be paired, or there are no samples to pair.
  std::optional<PairCounts> CountPairs() const {
    const auto found = input_.pairs.find(id_);
    if (!CanPair(gate_) || found == input_.pairs.end()) return std::nullopt;
    return Compare(gate_, class_index_, found->second);
  }

  void Take(const Decision& decision) {
    result_.verdict = decision.verdict;
    result_.why = decision.why;
    result_.more_samples = decision.more_samples;
  }

  bool Undefined(const Measurement& measured, absl::string_view whose) {
    if (measured.value.has_value()) return false;
    result_.verdict = GateVerdict::kUndecided;
    result_.why = absl::StrCat("undefined", whose, ": ", measured.undefined);
    return true;
  }

  void JudgeAgainst(const Measurement& here, const Measurement& there,
                    const std::optional<PairCounts>& counts, double level) {
    if (there.value.has_value()) {
      result_.baseline = there.value;
      result_.threshold = gate_.factor * *there.value + gate_.offset;
      if (there.interval != nullptr) result_.baseline_interval = there.interval(level, 1);
    }
    if (Undefined(here, "") || Undefined(there, " in the baseline")) return;
    Question question{*here.value - gate_.factor * *there.value,
                      gate_.offset,
                      *gate_.comparison,
                      nullptr,
                      std::nullopt,
                      here.samples,
                      absl::StrCat(here.unit, ", in both,")};
    std::string how;
    if (counts.has_value()) {
      question.value = static_cast<double>(counts->only_first - counts->only_second) /
                       static_cast<double>(counts->samples);
      question.interval = [&](double scale) {
        const auto scaled = [&](int64_t count) {
          return static_cast<int64_t>(std::llround(static_cast<double>(count) * scale));
        };
        const int64_t here_only = scaled(counts->only_first);
        const int64_t there_only = scaled(counts->only_second);
        // What more samples would do is told as "about": it needs no proof.
        const auto interval = scale == 1 ? PairedDifferenceInterval : PairedDifferenceEstimate;
        return interval(here_only, there_only,
                        std::max(scaled(counts->samples), here_only + there_only), level);
      };
      result_.method = "paired";
      how = absl::StrCat("paired on ", Grouped(counts->samples), " samples, ",
                         Grouped(counts->only_first), " right only here and ",
                         Grouped(counts->only_second), " only in the baseline: ");
    } else if (here.interval != nullptr && there.interval != nullptr) {
      question.interval = [&](double scale) {
        const double each = LevelOfEach(2, level);
        return SeparateDifference(here.interval(each, scale), there.interval(each, scale),
                                  gate_.factor);
      };
      if (here.limits.has_value() || there.limits.has_value()) {
        question.limits = SeparateDifference(
            here.limits.value_or(Interval{*here.value, *here.value}),
            there.limits.value_or(Interval{*there.value, *there.value}), gate_.factor);
      }
      result_.method = "separate";
      how = "by separate intervals, not paired: ";
    }
    result_.difference = question.value;
    if (question.interval != nullptr) result_.difference_interval = question.interval(1);
    Take(Decide(question));
    result_.why = absl::StrCat(how, result_.why);
  }

  const GateExpression& gate_;
  const GateInput& input_;
  // Of the condition; empty for a metric of the whole report.
  std::string id_;
  int class_index_ = -1;
  GateResult result_;
};

std::string WithInterval(double value, const std::optional<Interval>& interval) {
  return interval.has_value()
             ? absl::StrFormat("%.4g [%.4g, %.4g]", value, interval->lower, interval->upper)
             : absl::StrFormat("%.4g", value);
}

}  // namespace

GateResult JudgeGate(const GateExpression& gate, const GateInput& input) {
  return GateJudge(gate, input).Run();
}

std::string GateLine(const GateResult& result) {
  std::string line = absl::StrCat(Name(result.verdict), " ", result.expression, ": ");
  if (result.value.has_value()) {
    absl::StrAppend(&line, WithInterval(*result.value, result.interval));
    if (result.baseline.has_value()) {
      absl::StrAppend(&line, ", baseline ",
                      WithInterval(*result.baseline, result.baseline_interval));
    }
    if (result.difference.has_value()) {
      absl::StrAppend(&line, ", difference ",
                      WithInterval(*result.difference, result.difference_interval));
    }
    absl::StrAppend(&line, "; ");
  }
  return absl::StrCat(line, result.why);
}

std::vector<std::string> ConditionsToPair(const std::vector<GateExpression>& gates,
                                          const v1::Report& report) {
  std::vector<std::string> ids;
  const GateScope scope = ScopeOf(report);
  for (const GateExpression& gate : gates) {
    if (!CanPair(gate)) continue;
    const auto condition = FindCondition(gate.condition, scope);
    if (condition.ok() && std::find(ids.begin(), ids.end(), condition->id) == ids.end()) {
      ids.push_back(condition->id);
    }
  }
  return ids;
}

absl::Status CheckBaseline(const v1::Report& report, const v1::Report& baseline) {
  if (report.dataset() != baseline.dataset()) {
    return OtherData(baseline, baseline.dataset(), report.dataset());
  }
  if (!std::equal(report.class_names().begin(), report.class_names().end(),
                  baseline.class_names().begin(), baseline.class_names().end())) {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat("the baseline ", baseline.evaluation(), " has other classes (",
                              baseline.class_names_size(), " against ", report.class_names_size(),
                              ", or other names)"));
  }
  return absl::OkStatus();
}

}  // namespace assay::report
