// The parameters of a smoothing condition as the arithmetic of certificates takes them.
#ifndef ASSAY_CORE_CONDITIONS_SMOOTHING_SETTING_H_
#define ASSAY_CORE_CONDITIONS_SMOOTHING_SETTING_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/types.pb.h"
#include "core/statistics/smoothing_certificate.h"

namespace assay {

// kInternal for a condition whose parameters are missing or senseless: it was validated when the
// evaluation was created. Parameters that older versions did not know have their defaults.
absl::StatusOr<SmoothingSetting> ParseSmoothingSetting(const v1::Condition& condition);

// kInvalidCondition where the draws of a condition can only abstain, as this many samples share its
// alpha; says how many draws could certify. Conditions by themselves are checked when they are
// parsed, so this is about scope=dataset only.
absl::Status CheckEnoughDraws(const v1::Condition& condition, int64_t samples);

}  // namespace assay

#endif  // ASSAY_CORE_CONDITIONS_SMOOTHING_SETTING_H_
