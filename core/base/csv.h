// Comma-separated values (RFC 4180): fields in quotes, line ends of any kind.
#ifndef ASSAY_CORE_BASE_CSV_H_
#define ASSAY_CORE_BASE_CSV_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace assay {

struct CsvRecord {
  // Where it begins, from 1. Quoted fields may have lines of their own.
  int64_t line = 0;
  // At least one.
  std::vector<std::string> fields;
};

// Calls `visit` with every record, the header included; its error ends the reading. Only one record
// is in memory. A line end closes a record, so an empty line is a record with one empty field;
// after the last record it may be missing. kInvalidArgument with the line for quotes that are not
// those of a field, or not closed, and for more than `most_fields`.
absl::Status ReadCsv(absl::string_view text, size_t most_fields,
                     const std::function<absl::Status(const CsvRecord&)>& visit);

// A field as a file has it: in quotes where it must be.
std::string CsvField(absl::string_view text);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_CSV_H_
