// What became of each sample under one condition of a report: for comparisons that pair two
// evaluations sample by sample.
#ifndef ASSAY_CORE_REPORT_SAMPLE_RESULTS_H_
#define ASSAY_CORE_REPORT_SAMPLE_RESULTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/report/report_input.h"

namespace assay::report {

struct SampleResult {
  int64_t sample = 0;
  int32_t label = 0;
  // As the report counts it.
  bool correct = false;
  // Certified, where it is correct; 0 unless smoothing.
  double radius = 0;
};

// Ascending by sample. `id` is the report's, which is one budget of `run` where that has several;
// `input` is what the report was computed from, its conditions apart. kInternal for outcomes that
// break their own rules.
absl::StatusOr<std::vector<SampleResult>> SampleResults(const ConditionOutcomes& run,
                                                        const std::string& id,
                                                        const ReportInput& input);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_SAMPLE_RESULTS_H_
