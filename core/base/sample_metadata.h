// What is known of each sample beside its label: a table of named columns, one row a sample. The
// client makes it from a CSV that people write, the server checks what it was sent, and reports
// have slices by it.
#ifndef ASSAY_CORE_BASE_SAMPLE_METADATA_H_
#define ASSAY_CORE_BASE_SAMPLE_METADATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "assay/v1/datasets.pb.h"
#include "core/base/errors.h"

namespace assay {

inline constexpr int kMaxMetadataColumns = 32;
// Distinct ones of a column of texts, and ranges of a column of numbers.
inline constexpr int kMaxMetadataValues = 100;
// Of a name or a text.
inline constexpr int kMaxMetadataBytes = 200;
// Of a canonical CSV.
inline constexpr int64_t kMaxMetadataCsvBytes = 32 << 20;
// What an empty cell is called in reports; no text may be that.
inline constexpr char kMissingValue[] = "(missing)";
// Columns that reports have without metadata, whose names are taken.
inline constexpr const char* kBrightness = "brightness";
inline constexpr const char* kContrast = "contrast";
inline constexpr const char* kConfidence = "confidence";

struct MetadataColumn {
  std::string name;
  bool numeric = false;
  // Of numbers: where ranges meet, ascending; none: at the quartiles.
  std::vector<double> edges;
  // Of numbers: one for each sample; NaN: missing.
  std::vector<double> numbers;
  // Of texts: the different ones, as they come, and which of them each sample has; -1: missing.
  std::vector<std::string> values;
  std::vector<int32_t> value_of;
};

struct MetadataTable {
  std::vector<MetadataColumn> columns;
  int64_t samples = 0;
};

// The table of a CSV with a header. Blanks around names and values do not count. A column is one of
// numbers if all its values are (1e-3, -2.5), and one of texts otherwise. kInvalidArgument with the
// line and the column for what is wrong with it.
absl::StatusOr<MetadataTable> ReadMetadata(absl::string_view csv);

// The table that `declared` describes and whose canonical CSV `csv` was uploaded; kInvalidDataset
// where they disagree. What `declared` says has been checked (CheckMetadata).
absl::StatusOr<MetadataTable> ReadDeclaredMetadata(const v1::SampleMetadata& declared,
                                                   absl::string_view csv);

// Everything that can be wrong with a declaration by itself; paths start with `prefix`.
std::vector<FieldViolation> CheckMetadata(const v1::SampleMetadata& declared,
                                          const std::string& prefix);

// Makes ranges of the column's numbers meet at `edges`, or makes each number a value of its own,
// as a text is. kInvalidArgument for a column of texts, and for edges that do not ascend.
absl::Status SetEdges(const std::vector<double>& edges, MetadataColumn* column);
absl::Status NumbersAsValues(MetadataColumn* column);

// Only the first `samples` rows.
void Truncate(int64_t samples, MetadataTable* table);

// The canonical CSV: the same table gives the same bytes, however it was written.
std::string MetadataCsv(const MetadataTable& table);
// The declaration of the table whose canonical CSV is `csv`.
v1::SampleMetadata DeclareMetadata(const MetadataTable& table, absl::string_view csv);

// The shortest text that reads back as the same number, which must be finite.
std::string NumberText(double value);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_SAMPLE_METADATA_H_
