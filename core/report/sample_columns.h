// What slices are made by: for each column that is known of the samples, its values or ranges, and
// which of them each sample has.
#ifndef ASSAY_CORE_REPORT_SAMPLE_COLUMNS_H_
#define ASSAY_CORE_REPORT_SAMPLE_COLUMNS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "assay/v1/outcomes.pb.h"
#include "core/base/sample_metadata.h"

namespace assay::report {

// One value of a column, or one range.
struct SampleSlice {
  // As it is printed, and as gates name it.
  std::string value;
  // Of a range: from, included, to, excluded but for the last one. Without an end it is open. Of a
  // single number, both.
  std::optional<double> from;
  std::optional<double> to;
};

struct SampleColumn {
  static constexpr int32_t kNone = -1;

  std::string name;
  bool built_in = false;
  // Numbers ascend, texts are in the order of their bytes; what is missing comes last.
  std::vector<SampleSlice> slices;
  // By position in the dataset, the index of the sample's slice, or kNone.
  std::vector<int32_t> slice_of;
  // Not empty: why there are no slices.
  std::string undefined_reason;
};

// Numbers (NaN: missing) cut into ranges that meet at `edges`, ascending. Without edges: up to four
// distinct numbers are values; more are cut at their quartiles, each moved up to the next number
// that is there, so that equal numbers are in one range, no range is empty, and its ends are
// numbers of the samples.
SampleColumn CutNumbers(std::string name, const std::vector<double>& numbers,
                        const std::vector<double>& edges);
// Each of the distinct `values` that a sample has; `value_of` says which, -1: missing.
SampleColumn GroupTexts(std::string name, const std::vector<std::string>& values,
                        const std::vector<int32_t>& value_of);

std::vector<SampleColumn> ColumnsOf(const MetadataTable& table);

// The confidence of the clean prediction, of the outcomes under the clean condition.
SampleColumn ConfidenceColumn(const std::vector<v1::Outcome>& clean);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_SAMPLE_COLUMNS_H_
