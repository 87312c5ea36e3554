// The setting of a randomized-smoothing condition as a report uses it, and whether counts can come
// from it.
#ifndef ASSAY_CORE_REPORT_SMOOTHING_PARAMETERS_H_
#define ASSAY_CORE_REPORT_SMOOTHING_PARAMETERS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/outcomes.pb.h"
#include "assay/v1/types.pb.h"
#include "core/statistics/smoothing_certificate.h"

namespace assay::report {

// What a report adds to the conditions' own settings.
struct CertificationOptions {
  // Certificates at another failure probability and from fewer draws; 0: as run.
  double alpha = 0;
  int64_t n = 0;
  // Samples of the evaluation, which share alpha where a condition says so.
  int64_t samples = 0;
  // Pixel values of an image.
  int64_t dimension = 0;
};

// kInternal for a condition whose parameters are missing or senseless; kInvalidArgument for options
// that ask for more draws than were made or that let every sample abstain.
absl::StatusOr<SmoothingSetting> SmoothingParameters(const v1::Condition& condition,
                                                     const CertificationOptions& options);

// kInternal for counts that n0 and n draws over `num_classes` classes cannot give.
absl::Status CheckCounts(const v1::SmoothingOutcome& outcome, const SmoothingSetting& setting,
                         int num_classes);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_SMOOTHING_PARAMETERS_H_
