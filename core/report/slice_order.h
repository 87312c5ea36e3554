// The order of slices, wherever they are listed.
#ifndef ASSAY_CORE_REPORT_SLICE_ORDER_H_
#define ASSAY_CORE_REPORT_SLICE_ORDER_H_

#include "assay/v1/reports.pb.h"

namespace assay::report {

// For stable sorts: by accuracy, worst first; those with few samples, whose rates say little, last
// and as they come.
inline bool SliceBefore(const v1::Slice& a, const v1::Slice& b) {
  if (a.few() != b.few()) return b.few();
  return !a.few() && a.accuracy().value() < b.accuracy().value();
}

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_SLICE_ORDER_H_
