// What gates are judged by while samples are still being drawn: confidence sequences, which hold at
// every number of samples at once, so that an evaluation may stop when it likes what it sees
// (core/statistics/confidence_sequence.h; docs/gates.md).
#ifndef ASSAY_CORE_REPORT_GATE_SEQUENCE_H_
#define ASSAY_CORE_REPORT_GATE_SEQUENCE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "assay/v1/types.pb.h"
#include "core/report/gate_decision.h"
#include "core/report/gate_expression.h"
#include "core/report/gate_metrics.h"
#include "core/report/resolved_outcomes.h"
#include "core/statistics/statistics.h"

namespace assay::report {

// Whether a gate can be decided early; kInvalidArgument says why not and what to do instead.
// `condition` is that of the gate, null for a metric of the whole report.
absl::Status CheckWatchable(const GateExpression& gate, const v1::Condition* condition);

// What each end of a gate's interval may be wrong with, so that `gates` of them hold together at
// `level`, whenever one looks.
double AlphaOfEnd(double level, int64_t gates);

// The metric behind a gate, sample by sample.
class GateSequence {
 public:
  virtual ~GateSequence() = default;
  // A sample of the gate's condition; the order must not depend on what comes of the samples.
  virtual void Add(const ResolvedSample& sample) = 0;
  // That no more will come: classes without samples are left out, as in the report.
  virtual void Finish() {}
  // What is certain by now. A verdict that has been given stands.
  virtual GateVerdict Verdict() const = 0;
  // Of the samples so far.
  virtual Interval Ends() const = 0;
};

// For a gate that CheckWatchable has passed, of a condition with `num_classes` classes;
// `class_index` is its class, if it has one.
std::unique_ptr<GateSequence> NewGateSequence(const GateExpression& gate, int num_classes,
                                              int class_index, double alpha);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_GATE_SEQUENCE_H_
