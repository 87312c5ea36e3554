// What a comparison comes to, in a few lines and a picture.
#ifndef ASSAY_CLIENT_RENDER_COMPARISON_VERDICT_H_
#define ASSAY_CLIENT_RENDER_COMPARISON_VERDICT_H_

#include <string>

#include "assay/v1/comparison.pb.h"
#include "client/render/page/html_page.h"
#include "client/render/plot/interval_plot.h"

namespace assay::render {

// Who is compared on what; the verdict tells under how many conditions each is better and worse
// than the first: McNemar's tests of all conditions and models after Holm's correction, at the
// comparison's level.
PageHead ComparisonHead(const v1::Comparison& comparison);

// Accuracies with their intervals, a block for each condition.
plot::IntervalPlot ComparedAccuracies(const v1::Comparison& comparison);

// The call of `assay` that makes the comparison again.
std::string CompareCommand(const v1::Comparison& comparison);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_COMPARISON_VERDICT_H_
