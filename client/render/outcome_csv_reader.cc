#include "client/render/outcome_csv_reader.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "client/render/evaluation_record.h"
#include "client/render/outcome_csv.h"
#include "core/base/errors.h"

namespace assay::render {
namespace {

struct Row {
  int64_t number = 0;  // of its line, from 1
  std::string line;    // with its line feed
  std::string condition;
  v1::Outcome outcome;
  std::string piece;
};

absl::Status Unreadable(const std::string& text) { return Error(Reason::kUnreadableInput, text); }

absl::Status WrongLine(int64_t number, absl::string_view text) {
  return Unreadable(absl::StrCat("line ", number, ": ", text));
}

// The first field of a line, without its quotes.
std::string FirstField(absl::string_view line) {
  if (line.empty() || line[0] != '"') return std::string(line.substr(0, line.find(',')));
  size_t end = 1;
  while (end < line.size() && (line[end] != '"' || line.substr(end, 2) == "\"\"")) {
    end += line[end] == '"' ? 2 : 1;
  }
  return absl::StrReplaceAll(line.substr(1, std::min(end, line.size()) - 1), {{"\"\"", "\""}});
}

absl::StatusOr<Row> ParseRow(int64_t number, const std::string& line) {
  const size_t last = line.rfind(',');
  const size_t before =
      last == std::string::npos || last == 0 ? std::string::npos : line.rfind(',', last - 1);
  if (before == std::string::npos) return WrongLine(number, "it has too few columns");
  Row row;
  row.number = number;
  row.line = line + "\n";
  row.condition = FirstField(line);
  row.piece = line.substr(last + 1);
  auto outcome = ParseOutcomeRecord(absl::string_view(line).substr(before + 1, last - before - 1));
  if (!outcome.ok()) return WrongLine(number, outcome.status().message());
  row.outcome = *std::move(outcome);
  return row;
}

class Reader {
 public:
  Reader(const std::function<absl::Status(report::EvaluationFacts)>& on_facts,
         const std::function<absl::Status(const std::string&, v1::Outcome)>& on_outcome)
      : on_facts_(on_facts), on_outcome_(on_outcome) {}

  absl::Status Read(std::istream& in) {
    std::string line;
    if (!std::getline(in, line) || line + "\n" != OutcomeCsv::Header()) {
      return Unreadable(
          "its first line is not that of outcomes as --outcomes and `assay evaluation outcomes` "
          "write them");
    }
    for (int64_t number = 2; std::getline(in, line); ++number) {
      ASSAY_ASSIGN_OR_RETURN(Row row, ParseRow(number, line));
      if (!csv_.has_value()) {
        record_ += row.piece;
        const bool complete = row.piece.empty();
        first_.push_back(std::move(row));
        if (!complete) continue;
        ASSAY_RETURN_IF_ERROR(Begin());
      } else {
        ASSAY_RETURN_IF_ERROR(Take(std::move(row)));
      }
    }
    if (in.bad()) return Unreadable("it cannot be read to its end");
    if (!csv_.has_value()) ASSAY_RETURN_IF_ERROR(Begin());
    if (rows_ == expected_) return absl::OkStatus();
    return Unreadable(absl::StrCat("it is not complete: it has ", rows_,
                                   " outcomes, the evaluation had ", expected_));
  }

 private:
  // The record is complete.
  absl::Status Begin() {
    if (record_.empty()) {
      return Unreadable(
          "it has no record of its evaluation: it was written before the evaluation had ended");
    }
    ASSAY_ASSIGN_OR_RETURN(report::EvaluationFacts facts, ParseEvaluationRecord(record_));
    const v1::Evaluation& evaluation = facts.evaluation;
    expected_ = OutcomesOf(evaluation);
    int64_t samples = facts.samples;
    if (evaluation.spec().limit() > 0) samples = std::min(samples, evaluation.spec().limit());
    ASSAY_ASSIGN_OR_RETURN(
        csv_, OutcomeCsv::Create({evaluation.conditions().begin(), evaluation.conditions().end()},
                                 samples, facts.manifest.shape()));
    ASSAY_RETURN_IF_ERROR(on_facts_(std::move(facts)));
    for (Row& row : first_) ASSAY_RETURN_IF_ERROR(Take(std::move(row)));
    first_.clear();
    return absl::OkStatus();
  }

  absl::Status Take(Row row) {
    if (csv_->Row(row.condition, row.outcome, row.piece) != row.line) {
      return WrongLine(row.number,
                       "its columns are not those of its record: the file has been edited, or "
                       "written again by another program");
    }
    if (row.condition != condition_) {
      if (!conditions_.insert(row.condition).second) {
        return WrongLine(row.number, "the rows of its condition are not together");
      }
      condition_ = row.condition;
    } else if (row.outcome.sample() <= sample_) {
      return WrongLine(row.number, "its sample is there twice, or not in order");
    }
    sample_ = row.outcome.sample();
    ++rows_;
    const absl::Status taken = on_outcome_(row.condition, std::move(row.outcome));
    return taken.ok() ? taken : WrongLine(row.number, taken.message());
  }

  const std::function<absl::Status(report::EvaluationFacts)>& on_facts_;
  const std::function<absl::Status(const std::string&, v1::Outcome)>& on_outcome_;
  // Until the record is complete: what there is of it, and the rows that carried it.
  std::string record_;
  std::vector<Row> first_;
  std::optional<OutcomeCsv> csv_;
  int64_t expected_ = 0;
  int64_t rows_ = 0;
  std::string condition_;
  std::set<std::string> conditions_;
  int64_t sample_ = 0;
};

}  // namespace

absl::Status ReadOutcomeCsv(std::istream& in,
                            const std::function<absl::Status(report::EvaluationFacts)>& on_facts,
                            const std::function<absl::Status(const std::string& condition,
                                                             v1::Outcome outcome)>& on_outcome) {
  return Reader(on_facts, on_outcome).Read(in);
}

}  // namespace assay::render
