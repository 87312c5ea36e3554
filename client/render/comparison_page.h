// A comparison as one page of HTML, for a reader without Assay, as report_page.h is of a report:
// what became of the accuracies, how alike the models are under each condition, class by class, and
// how to make it again.
#ifndef ASSAY_CLIENT_RENDER_COMPARISON_PAGE_H_
#define ASSAY_CLIENT_RENDER_COMPARISON_PAGE_H_

#include <string>

#include "assay/v1/comparison.pb.h"

namespace assay::render {

// The same comparison gives the same bytes.
std::string ComparisonPage(const v1::Comparison& comparison);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_COMPARISON_PAGE_H_
