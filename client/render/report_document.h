// Lays a report out for people.
#ifndef ASSAY_CLIENT_RENDER_REPORT_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_REPORT_DOCUMENT_H_

#include "assay/v1/reports.pb.h"
#include "client/render/document.h"

namespace assay::render {

// A summary when there are several conditions; then each condition: its accuracy, its classes, what
// is special to its family; finally the numerics. Shares are percentages, their intervals in
// brackets.
Document ReportDocument(const v1::Report& report);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_REPORT_DOCUMENT_H_
