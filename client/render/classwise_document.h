// What errors were made between classes: confusion matrices, and differences that are significant.
#ifndef ASSAY_CLIENT_RENDER_CLASSWISE_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_CLASSWISE_DOCUMENT_H_

#include <vector>

#include "assay/v1/reports.pb.h"
#include "client/render/document.h"
#include "client/render/report_style.h"

namespace assay::render {

// At most `most` classes, by index: those that errors leave or reach most often. All where there
// are no more.
std::vector<int> MostConfused(const v1::ConditionReport& condition, int most);

// Rows: the class of the samples; columns: what they were taken for. Shades are shares of the row's
// samples. Where `classes` are not all, a column has what went to the others.
Table ConfusionTable(const v1::ConditionReport& condition, const std::vector<int>& classes,
                     const ReportStyle& style);

// The most significant first, at most `most`.
Table DifferencesTable(const v1::ConditionReport& condition, int most, const ReportStyle& style);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_CLASSWISE_DOCUMENT_H_
