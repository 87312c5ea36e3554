// Lays a report out for people.
#ifndef ASSAY_CLIENT_RENDER_REPORT_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_REPORT_DOCUMENT_H_

#include "assay/v1/reports.pb.h"
#include "client/render/document.h"
#include "client/render/report_style.h"

namespace assay::render {

// A summary when there are several conditions; then each condition: its accuracy, its classes, what
// is special to its family, its worst slices or all; finally the numerics. Shares are percentages,
// their intervals in brackets.
Document ReportDocument(const v1::Report& report, bool all_slices = false);

// Its parts, which other forms of a report share.
// That samples are missing, and the notes.
void AddCaveats(const v1::Report& report, Document& document);
// Accuracy, worst class and top sink of every condition.
Table SummaryTable(const v1::Report& report, const ReportStyle& style);
// The id of a condition and its accuracy.
Heading AccuracyHeading(const v1::ConditionReport& condition);
// What every condition has: notices, findings of its checks, the table of classes, disparity.
void AddClasswise(const v1::ConditionReport& condition, const ReportStyle& style,
                  Document& document);
// What its family adds.
void AddFamily(const v1::ConditionReport& condition, const ReportStyle& style, Document& document);
// What computed it, in how many passes, of which model and data, and how it is labelled.
void AddNumerics(const v1::Report& report, Document& document);

// From the start of the evaluation to its end, in seconds; 0 where that is not known.
double WallSeconds(const v1::Provenance& provenance);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_REPORT_DOCUMENT_H_
