// Comma-separated values (RFC 4180): fields in quotes, line ends of any kind.
#ifndef ASSAY_CORE_BASE_CSV_H_
#define ASSAY_CORE_BASE_CSV_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assay {

struct CsvRecord {
  // Where it begins, from 1. Quoted fields may have lines of their own.
  int64_t line = 0;
  // At least one.
  std::vector<std::string> fields;
};

// Every record, the header included. A line end closes a record, so an empty line is a record with
// one empty field; after the last record it may be missing. kInvalidArgument with the line for
// quotes that are not those of a field, or not closed.
absl::StatusOr<std::vector<CsvRecord>> ParseCsv(absl::string_view text);

// A field as a file has it: in quotes where it must be.
std::string CsvField(absl::string_view text);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_CSV_H_
