// Comparisons of evaluations as CSV.
#ifndef ASSAY_CLIENT_RENDER_COMPARISON_CSV_H_
#define ASSAY_CLIENT_RENDER_COMPARISON_CSV_H_

#include <string>

#include "assay/v1/comparison.pb.h"

namespace assay::render {

// Long form, a row for every number: condition, the two evaluations (or the one), class (empty:
// all), metric, value, interval, counts. Undefined numbers are empty.
std::string ComparisonCsv(const v1::Comparison& comparison);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_COMPARISON_CSV_H_
