// Errors over all corruptions of an evaluation: mean corruption error as it is published for
// CIFAR-10-C, mCE and relative mCE as for ImageNet-C (Hendrycks and Dietterich, ICLR 2019), and
// which class each corruption hurts most, and in favour of which. Formulas: docs/metrics.md.
#ifndef ASSAY_CORE_REPORT_CORRUPTION_SUMMARY_H_
#define ASSAY_CORE_REPORT_CORRUPTION_SUMMARY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/reports.pb.h"
#include "assay/v1/types.pb.h"

namespace assay::report {

// The 15 corruptions that enter mean errors; the four extra ones, drawn frost and whatever goes
// beyond the published list never do.
const std::vector<std::string>& CommonCorruptions();

// AlexNet's errors on ImageNet-C. By severity, on RobustBench's 5,000 images; this is what mCE is
// normalised with unless something else is asked for.
const v1::ReferenceErrors& AlexNetErrors();
// Means over the severities on the full validation set, as published with ImageNet-C's results.
const v1::ReferenceErrors& AlexNetMeanErrors();

// The reference that a request means: one of AlexNet's by its name ("alexnet", "alexnet-mean") when
// no corruptions are given, otherwise the request's own. kInvalidArgument for errors outside
// [0, 1], and for other than five of them (one for each severity) or one (their mean).
absl::StatusOr<v1::ReferenceErrors> ResolveReference(const v1::ReferenceErrors& requested);

// Fills corruption_summary from the report's conditions, unless there are no corruptions with a
// severity on the whole image. `reference` may be null: AlexNetErrors() where the corruptions are
// those of ImageNet-C (table 224, by name or for images of `shape`), none elsewhere.
void FillCorruptionSummary(const v1::ReferenceErrors* reference, const v1::ImageShape& shape,
                           v1::Report* report);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_CORRUPTION_SUMMARY_H_
