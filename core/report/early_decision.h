// Decides the gates of an evaluation whose samples are drawn in a random order, as soon as the
// samples allow. A pure function of the outcomes, so that nothing depends on who looks when.
#ifndef ASSAY_CORE_REPORT_EARLY_DECISION_H_
#define ASSAY_CORE_REPORT_EARLY_DECISION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "core/base/errors.h"
#include "core/report/gate_scope.h"
#include "core/report/report_input.h"

namespace assay::report {

// Of all gates together: 0.95 unless it is given.
double LevelOf(const v1::StopWhenDecided& stop);

// Everything that can be wrong with it, before there is an outcome: gates that are malformed, speak
// of what the scope lacks, or cannot be decided early, and conditions that need all samples at
// once. Fields are seen from the spec ("stop_when_decided.gates[0]").
std::vector<FieldViolation> CheckStopWhenDecided(const v1::StopWhenDecided& stop,
                                                 const std::vector<v1::Condition>& conditions,
                                                 const std::vector<std::string>& class_names);

// The decision on the samples that every condition has by now: the longest beginning of `order`
// (positions in the dataset) that is complete. Of each gate, after how many samples it was decided;
// nothing that comes later changes that. It stopped early if all were before the end of the order.
// `input` has the outcomes so far, of positions in `order` only. kInternal for outcomes that break
// their own rules.
absl::StatusOr<v1::Decision> DecideEarly(const ReportInput& input,
                                         const std::vector<int64_t>& order,
                                         const v1::StopWhenDecided& stop);

// Whether every gate is passed or failed.
bool AllDecided(const v1::Decision& decision);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_EARLY_DECISION_H_
