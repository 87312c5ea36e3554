// The section of a page that shows examples.
#ifndef ASSAY_CLIENT_RENDER_EXAMPLE_SECTION_H_
#define ASSAY_CLIENT_RENDER_EXAMPLE_SECTION_H_

#include "assay/v1/reports.pb.h"
#include "client/render/examples.h"
#include "client/render/page/html_page.h"
#include "client/render/report_style.h"

namespace assay::render {

// Of every condition of the report that can have examples, in its order: a few of them with what
// the model takes them for, or why there are none. Nothing where no condition can have any. Of many
// or large images fewer are shown, so that the page stays small.
void AddExamples(const v1::Report& report, const Examples& examples, const ReportStyle& style,
                 HtmlPage& page);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_EXAMPLE_SECTION_H_
