// Slices of samples in a report: those with one value, or in one range, of a column.
#ifndef ASSAY_CLIENT_RENDER_SLICE_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_SLICE_DOCUMENT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "assay/v1/reports.pb.h"
#include "client/render/document.h"
#include "client/render/report_style.h"

namespace assay::render {

struct NamedSlice {
  // Position among the condition's columns.
  size_t column = 0;
  // "lighting=night"
  std::string name;
  // Lives in the report.
  const v1::Slice* slice = nullptr;
};

// Slices of all columns that have samples: worst first, then those of too few samples.
std::vector<NamedSlice> RankedSlices(const v1::ConditionReport& condition);

// A row for each: samples, accuracy, what its family adds, and the adjusted p-value.
Table SlicesTable(const v1::ConditionReport& condition, const std::vector<NamedSlice>& slices,
                  const ReportStyle& style);

// The worst of a condition, as many as the style has room for, and how many more there are.
void AddSlices(const v1::ConditionReport& condition, const ReportStyle& style, Document& document);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_SLICE_DOCUMENT_H_
