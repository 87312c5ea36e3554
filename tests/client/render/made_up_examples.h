// Examples with made-up images for reports of made-up outcomes.
#ifndef ASSAY_TESTS_CLIENT_RENDER_MADE_UP_EXAMPLES_H_
#define ASSAY_TESTS_CLIENT_RENDER_MADE_UP_EXAMPLES_H_

#include "assay/v1/reports.pb.h"
#include "client/render/examples.h"

namespace assay::render {

// `each` of every condition that can have some. Images are noise around shades, which compresses
// worse than photographs do; examples of attacks differ by at most 8/255.
Examples MadeUpExamples(const v1::Report& report, int each, int channels = 3, int side = 32);

}  // namespace assay::render

#endif  // ASSAY_TESTS_CLIENT_RENDER_MADE_UP_EXAMPLES_H_
