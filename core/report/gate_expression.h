// Gates as users write them (`--require`), read but not yet judged:
//
//   accuracy(attack/autoattack:eps=8/255) >= 45%
//   cfps(clean, 'wolf, grey') < 0.2
//   slice_accuracy(clean, lighting=night) >= 0.7
//   min_class_accuracy(corruption/fog:severity=3) >= baseline - 0.02
//   check(attack/pgd, zero-gradients)
//
// Grammar: METRIC(ARGUMENTS) OPERATOR THRESHOLD, described in docs/gates.md. Metrics are the rows
// of a table: to add one is to add a row here, and what measures it in gate_metrics.cc.
#ifndef ASSAY_CORE_REPORT_GATE_EXPRESSION_H_
#define ASSAY_CORE_REPORT_GATE_EXPRESSION_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assay::report {

enum class Metric {
  kAccuracy,
  kClassAccuracy,
  kSliceAccuracy,
  kMinClassAccuracy,
  kDisparity,
  kCfps,
  kSuccessRate,
  kCertifiedAccuracy,
  kMeanCorruptionError,
  kMce,
  kCheck,
};

// What follows the condition in the parentheses.
enum class SecondArgument { kNone, kClass, kSlice, kOptionalRadius, kCheckName };

struct MetricRow {
  Metric metric;
  const char* name;
  // "cfps(CONDITION, CLASS)"
  const char* usage;
  // Of one condition; otherwise of the whole report.
  bool of_condition;
  SecondArgument second;
  // A larger threshold is a percentage without its sign. 0: there is no threshold.
  double largest;
};
const std::vector<MetricRow>& GateMetrics();

enum class Comparison { kAtLeast, kAtMost, kAbove, kBelow };

// A class as it was written.
struct ClassText {
  std::string text;
  // Then it is a name, even if it is a number.
  bool quoted = false;
};

struct GateExpression {
  // As it was written.
  std::string text;
  const MetricRow* metric = nullptr;
  // Expression or canonical id; empty where the metric is of the whole report.
  std::string condition;
  ClassText class_text;
  // "COLUMN=VALUE"; either may have an equals sign.
  std::string slice;
  std::optional<double> radius;
  std::string check;
  // Unset for kCheck alone.
  std::optional<Comparison> comparison;
  // The threshold is factor * baseline + offset; without a baseline, offset.
  bool against_baseline = false;
  double factor = 1;
  double offset = 0;
};

// kInvalidArgument: where it is malformed, and what was expected there.
absl::StatusOr<GateExpression> ParseGate(absl::string_view text);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_GATE_EXPRESSION_H_
