// Decides a comparison on the safe side of an interval, and says what it would take to decide it.
#ifndef ASSAY_CORE_REPORT_GATE_DECISION_H_
#define ASSAY_CORE_REPORT_GATE_DECISION_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/report/gate_expression.h"
#include "core/statistics/statistics.h"

namespace assay::report {

enum class GateVerdict {
  kPassed,
  kFailed,
  kUndecided,
  // The gate speaks of something that is not there.
  kError,
};
// "PASSED" and so on.
const char* Name(GateVerdict verdict);

// What is compared with the threshold in the end.
struct Question {
  double value = 0;
  double threshold = 0;
  Comparison comparison = Comparison::kAtLeast;
  // Were there `scale` times as many samples. Null: by the value alone.
  std::function<Interval(double scale)> interval;
  // What the interval shrinks to as samples are added, where that is not the value alone.
  std::optional<Interval> limits;
  // What there are, and of what: 200 "samples of the class".
  int64_t samples = 0;
  std::string unit;
};

struct Decision {
  GateVerdict verdict = GateVerdict::kUndecided;
  // A sentence.
  std::string why;
  // How many more would decide it, where it is UNDECIDED and some number would.
  std::optional<int64_t> more_samples;
};

Decision Decide(const Question& question);

// Which end of the interval decided.
std::string Reasoning(Comparison comparison, bool passed);

// "1,234,567"
std::string Grouped(int64_t count);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_GATE_DECISION_H_
