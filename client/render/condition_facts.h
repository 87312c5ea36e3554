// What several parts of a report ask of a condition.
#ifndef ASSAY_CLIENT_RENDER_CONDITION_FACTS_H_
#define ASSAY_CLIENT_RENDER_CONDITION_FACTS_H_

#include <cstdint>
#include <string>

#include "assay/v1/reports.pb.h"

namespace assay::render {

// Empty where the condition does not have it.
std::string Parameter(const v1::ConditionReport& condition, const std::string& name);

// What may stand beside the accuracies of other conditions: the accuracy, and for bounds, whose
// accuracy is that of the clean images, the certified accuracy. Null for sequences, whose accuracy
// is that of the clean images too, and where the rate has no value.
const v1::Rate* ComparableRate(const v1::ConditionReport& condition);

// Whether that many samples of the condition have mean and median radii: not without samples, nor
// where only predictions were made.
bool HasRadii(const v1::ConditionReport& condition, int64_t samples);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_CONDITION_FACTS_H_
