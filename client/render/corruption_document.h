// The parts of a report that are about several corruptions together, and about sequences.
#ifndef ASSAY_CLIENT_RENDER_CORRUPTION_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_CORRUPTION_DOCUMENT_H_

#include "assay/v1/reports.pb.h"
#include "client/render/document.h"
#include "client/render/report_style.h"

namespace assay::render {

// Errors by corruption and severity, with the published aggregates and what normalises them;
// nothing when the report has no summary.
void AddCorruptionSummary(const v1::Report& report, const ReportStyle& style, Document& document);

// For every corruption that was tried on the cells of a grid: accuracy by cell.
void AddSensitivityMaps(const v1::Report& report, Document& document);

// The flip rates of all sequences and their mean; nothing with fewer than two.
void AddSequenceSummary(const v1::Report& report, const ReportStyle& style, Document& document);

// Flip rates of one sequence, overall and by class.
void AddSequence(const v1::ConditionReport& condition, const ReportStyle& style,
                 Document& document);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_CORRUPTION_DOCUMENT_H_
