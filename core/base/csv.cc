#include "core/base/csv.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/errors.h"

namespace assay {
namespace {

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<CsvRecord>> Run() {
    std::vector<CsvRecord> records;
    while (at_ < text_.size()) {
      ASSAY_ASSIGN_OR_RETURN(CsvRecord record, ReadRecord());
      records.push_back(std::move(record));
    }
    return records;
  }

 private:
  absl::Status Wrong(int64_t line, absl::string_view what) const {
    return Error(Reason::kInvalidArgument, absl::StrCat("line ", line, ": ", what));
  }

  bool AtEnd() const { return at_ == text_.size(); }
  bool AtFieldEnd() const {
    return AtEnd() || text_[at_] == ',' || text_[at_] == '\n' || text_[at_] == '\r';
  }

  absl::StatusOr<CsvRecord> ReadRecord() {
    CsvRecord record;
    record.line = line_;
    while (true) {
      ASSAY_ASSIGN_OR_RETURN(std::string field, ReadField());
      record.fields.push_back(std::move(field));
      if (AtEnd() || text_[at_] != ',') break;
      ++at_;
    }
    TakeLineEnd();
    return record;
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
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

absl::StatusOr<std::vector<CsvRecord>> ParseCsv(absl::string_view text) {
  return Parser(text).Run();
}

std::string CsvField(absl::string_view text) {
  if (text.find_first_of(",\"\r\n") == absl::string_view::npos) return std::string(text);
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

}  // namespace assay
