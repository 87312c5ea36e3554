// Judges gates: requirements on a report by which a pipeline decides. Pure functions of reports
// and, where an evaluation is compared with a baseline on the same samples, of what became of each
// sample. How a gate is judged, and why so: docs/gates.md.
#ifndef ASSAY_CORE_REPORT_GATES_H_
#define ASSAY_CORE_REPORT_GATES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/reports.pb.h"
#include "core/report/gate_decision.h"
#include "core/report/gate_expression.h"
#include "core/report/sample_results.h"
#include "core/statistics/statistics.h"

namespace assay::report {

// The same samples under one condition.
struct SamplePairs {
  std::vector<SampleResult> here;
  std::vector<SampleResult> baseline;
};

struct GateInput {
  const v1::Report* report = nullptr;
  // Null: there is none.
  const v1::Report* baseline = nullptr;
  // By id of the condition. Where there are none, intervals are compared.
  std::map<std::string, SamplePairs> pairs = {};
  bool undecided_passes = false;
  // The evaluation, where it was to stop when its gates were decided; else null. Then its own gates
  // are judged by its decision, and others only if it did not stop early.
  const v1::Evaluation* stopping = nullptr;
};

struct GateResult {
  std::string expression;
  GateVerdict verdict = GateVerdict::kError;
  // Whether the pipeline may go on: PASSED, or UNDECIDED where that passes.
  bool holds = false;
  // Of the metric, with its interval at the report's level.
  std::optional<double> value;
  std::optional<Interval> interval;
  // As a number.
  std::optional<double> threshold;

  // --- against a baseline
  std::optional<double> baseline;
  std::optional<Interval> baseline_interval;
  // Value - factor * baseline, which is what is judged, by "paired" samples or "separate"
  // intervals.
  std::optional<double> difference;
  std::optional<Interval> difference_interval;
  std::string method;

  // A sentence.
  std::string why;
  // How many more would decide it, where it is UNDECIDED and some number would; and of what.
  std::optional<int64_t> more_samples;
  absl::Status error;
};

GateResult JudgeGate(const GateExpression& gate, const GateInput& input);

// "PASSED accuracy(clean) >= 0.5: 0.8 [0.78, 0.82]; the lower end is at least the threshold"
std::string GateLine(const GateResult& result);

// Ids of the conditions whose samples gates would pair, in a report that they have been checked
// against.
std::vector<std::string> ConditionsToPair(const std::vector<GateExpression>& gates,
                                          const v1::Report& report);

// Whether a report is a baseline of another: the same dataset, the same classes.
absl::Status CheckBaseline(const v1::Report& report, const v1::Report& baseline);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_GATES_H_
