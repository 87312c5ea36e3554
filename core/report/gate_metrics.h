// What gates are judged by: the value of a metric in a report, and its interval at any level, for
// the samples that there are and for more of the same kind.
#ifndef ASSAY_CORE_REPORT_GATE_METRICS_H_
#define ASSAY_CORE_REPORT_GATE_METRICS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "assay/v1/reports.pb.h"
#include "core/report/gate_expression.h"
#include "core/statistics/statistics.h"

namespace assay::report {

// Radii that are equal on paper differ by less.
inline constexpr double kSameRadius = 1e-9;

struct Measurement {
  // Absent: `undefined` says why.
  std::optional<double> value;
  std::string undefined;
  // At a confidence level, were there `scale` times as many samples with the same shares. Null: the
  // metric has no interval.
  std::function<Interval(double level, double scale)> interval;
  // The same for samples in a random order, each end wrong with at most `alpha` whenever one looks
  // (gate_sequence.h); null where there is none.
  std::function<Interval(double alpha, double scale)> sequence;
  // What the interval shrinks to as samples are added: set between two radii of a curve, where that
  // is not the value alone.
  std::optional<Interval> limits;
  // What there would have to be more of: 200 "samples of the class".
  int64_t samples = 0;
  std::string unit;
  // What else there is to know of the value; may be empty.
  std::string note;
};

// The entry of that id; null where there is none.
const v1::ConditionReport* EntryOf(const v1::Report& report, const std::string& id);

// `count` of `of` > 0.
Measurement MeasureShare(int64_t count, int64_t of, std::string unit);

// Of a gate with a threshold. `condition` is that of the gate, null where it has none;
// `class_index` is its class, if it has one. Everything has been checked (CheckGate).
Measurement Measure(const GateExpression& gate, const v1::Report& report,
                    const v1::ConditionReport* condition, int class_index);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_GATE_METRICS_H_
