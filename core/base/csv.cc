#include "core/base/csv.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/errors.h"

namespace assay {
namespace {

class Parser {
 public:
  Parser(absl::string_view text, size_t most_fields) : text_(text), most_fields_(most_fields) {}

  bool AtEnd() const { return at_ == text_.size(); }

  absl::Status ReadRecord(CsvRecord* record) {
    record->line = line_;
    record->fields.clear();
    while (true) {
      if (record->fields.size() == most_fields_) {
        return Wrong(record->line, absl::StrCat("more than ", most_fields_, " values"));
      }
      ASSAY_ASSIGN_OR_RETURN(std::string field, ReadField());
      record->fields.push_back(std::move(field));
      if (AtEnd() || text_[at_] != ',') break;
      ++at_;
    }
    TakeLineEnd();
    return absl::OkStatus();
  }

 private:
  absl::Status Wrong(int64_t line, absl::string_view what) const {
    return Error(Reason::kInvalidArgument, absl::StrCat("line ", line, ": ", what));
  }

  bool AtFieldEnd() const {
    return AtEnd() || text_[at_] == ',' || text_[at_] == '\n' || text_[at_] == '\r';
  }

  absl::StatusOr<std::string> ReadField() {
    if (!AtEnd() && text_[at_] == '"') return ReadQuoted();
    const size_t begin = at_;
    for (; !AtFieldEnd(); ++at_) {
      if (text_[at_] == '"') {
        return Wrong(line_,
                     "a quote inside a field that does not begin with one; put the whole field in "
                     "quotes, and write this one twice");
      }
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  absl::StatusOr<std::string> ReadQuoted() {
    const int64_t begin = line_;
    std::string field;
    ++at_;
    while (true) {
      if (AtEnd()) return Wrong(begin, "a quote that is opened here is not closed");
      const char c = text_[at_++];
      if (c == '"') {
        if (AtEnd() || text_[at_] != '"') break;
        ++at_;
      }
      if (c == '\n') ++line_;
      field.push_back(c);
    }
    if (!AtFieldEnd()) {
      return Wrong(line_, "text behind a closing quote; a quote inside quotes is written twice");
    }
    return field;
  }

  void TakeLineEnd() {
    if (!AtEnd() && text_[at_] == '\r') ++at_;
    // A lone carriage return ends a line, too.
    if (!AtEnd() && text_[at_] == '\n') ++at_;
    ++line_;
  }

  const absl::string_view text_;
  const size_t most_fields_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

absl::Status ReadCsv(absl::string_view text, size_t most_fields,
                     const std::function<absl::Status(const CsvRecord&)>& visit) {
  Parser parser(text, most_fields);
  CsvRecord record;
  while (!parser.AtEnd()) {
    ASSAY_RETURN_IF_ERROR(parser.ReadRecord(&record));
    ASSAY_RETURN_IF_ERROR(visit(record));
  }
  return absl::OkStatus();
}

std::string CsvField(absl::string_view text) {
  if (text.find_first_of(",\"\r\n") == absl::string_view::npos) return std::string(text);
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

}  // namespace assay
