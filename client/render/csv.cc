#include "client/render/csv.h"

#include "absl/strings/str_replace.h"
#include "client/render/numbers.h"

namespace assay::render {

CsvRow& CsvRow::Add(absl::string_view text) {
  if (begun_) line_.push_back(',');
  begun_ = true;
  if (text.find_first_of(",\"\r\n") == absl::string_view::npos) {
    absl::StrAppend(&line_, text);
  } else {
    absl::StrAppend(&line_, "\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
  }
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
