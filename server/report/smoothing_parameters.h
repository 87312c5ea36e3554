// The setting of a randomized-smoothing condition, and whether counts can come from it.
#ifndef ASSAY_SERVER_REPORT_SMOOTHING_PARAMETERS_H_
#define ASSAY_SERVER_REPORT_SMOOTHING_PARAMETERS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/outcomes.pb.h"
#include "assay/v1/types.pb.h"

namespace assay::report {

struct SmoothingParameters {
  double sigma = 0;
  int64_t n0 = 0;
  int64_t n = 0;
  double alpha = 0;
};

// kInternal for a condition whose parameters are missing or senseless: it was validated when the
// evaluation was created.
absl::StatusOr<SmoothingParameters> ParseSmoothingParameters(const v1::Condition& condition);

// kInternal for counts that n0 and n draws over `num_classes` classes cannot give.
absl::Status CheckCounts(const v1::SmoothingOutcome& outcome, const SmoothingParameters& parameters,
                         int num_classes);

}  // namespace assay::report

#endif  // ASSAY_SERVER_REPORT_SMOOTHING_PARAMETERS_H_
