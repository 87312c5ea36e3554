#include "client/render/csv.h"

#include "client/render/numbers.h"
#include "core/base/csv.h"

namespace assay::render {

CsvRow& CsvRow::Add(absl::string_view text) {
  if (begun_) line_.push_back(',');
  begun_ = true;
  absl::StrAppend(&line_, CsvField(text));
  return *this;
}

CsvRow& CsvRow::Add(double value) { return Add(absl::string_view(Exact(value))); }
CsvRow& CsvRow::Add(float value) { return Add(absl::string_view(Exact(value))); }

CsvRow& CsvRow::AddEmpty(int count) {
  for (int i = 0; i < count; ++i) Add(absl::string_view());
  return *this;
}

std::string CsvRow::Line() const { return line_ + "\n"; }

}  // namespace assay::render
