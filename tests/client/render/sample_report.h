// A small report that was made by hand: three classes under clean images, an attack and smoothing.
#ifndef ASSAY_TESTS_CLIENT_RENDER_SAMPLE_REPORT_H_
#define ASSAY_TESTS_CLIENT_RENDER_SAMPLE_REPORT_H_

#include "assay/v1/reports.pb.h"

namespace assay::render {

v1::Report SampleReport();

}  // namespace assay::render

#endif  // ASSAY_TESTS_CLIENT_RENDER_SAMPLE_REPORT_H_
