// The parts of a report that are about proofs: randomized smoothing, bounds, conformal sets.
#ifndef ASSAY_CLIENT_RENDER_CERTIFICATION_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_CERTIFICATION_DOCUMENT_H_

#include "assay/v1/reports.pb.h"
#include "client/render/document.h"
#include "client/render/report_style.h"

namespace assay::render {

void AddCertification(const v1::ConditionReport& condition, const ReportStyle& style,
                      Document& document);
void AddBounds(const v1::ConditionReport& condition, const ReportStyle& style, Document& document);
void AddConformal(const v1::ConditionReport& condition, const ReportStyle& style,
                  Document& document);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_CERTIFICATION_DOCUMENT_H_
