#include "core/report/gate_expression.h"

#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/base/rational.h"

namespace assay::report {
namespace {

constexpr char kBaseline[] = "baseline";
// mCE is 1 for a model that is as good as the reference; nobody asks for ten times its errors.
constexpr double kLargestMce = 10;
// Likewise of a baseline.
constexpr double kLargestFactor = 10;

struct Operator {
  const char* symbol;
  Comparison comparison;
};
// The longer ones first.
constexpr Operator kOperators[] = {{">=", Comparison::kAtLeast},
                                   {"<=", Comparison::kAtMost},
                                   {">", Comparison::kAbove},
                                   {"<", Comparison::kBelow}};

// One of the texts between the parentheses.
struct Piece {
  size_t position = 0;
  std::string text;
  bool quoted = false;
};

// A number as it was written.
struct Written {
  size_t position = 0;
  double value = 0;
  bool percent = false;
};

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) { gate_.text = std::string(text); }

  absl::StatusOr<GateExpression> Run() {
    ASSAY_RETURN_IF_ERROR(ReadMetric());
    ASSAY_RETURN_IF_ERROR(ReadArguments());
    SkipSpaces();
    if (gate_.metric->metric == Metric::kCheck) {
      if (!AtEnd()) return Expected("nothing more: a check passes or does not");
      return std::move(gate_);
    }
    ASSAY_RETURN_IF_ERROR(ReadOperator());
    ASSAY_RETURN_IF_ERROR(ReadThreshold());
    if (!AtEnd()) return Expected("the end");
    return std::move(gate_);
  }

 private:
  absl::Status ErrorAt(size_t position, absl::string_view what) const {
    return Error(Reason::kInvalidArgument, absl::StrCat("at character ", position + 1, ": ", what));
  }
  absl::Status Expected(absl::string_view what) const {
    const absl::string_view rest = text_.substr(at_);
    return ErrorAt(
        at_, absl::StrCat("expected ", what, ", got ",
                          rest.empty() ? "the end" : absl::StrCat("'", rest.substr(0, 20), "'")));
  }

  bool AtEnd() const { return at_ == text_.size(); }
  // '\0' at the end.
  char Next() const { return AtEnd() ? '\0' : text_[at_]; }
  void SkipSpaces() {
    while (!AtEnd() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool Take(char c) {
    if (Next() != c) return false;
    ++at_;
    return true;
  }
  std::string TakeWord() {
    const size_t begin = at_;
    while (absl::ascii_isalnum(static_cast<unsigned char>(Next())) || Next() == '_') ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  absl::Status ReadMetric() {
    SkipSpaces();
    const size_t begin = at_;
    const std::string word = TakeWord();
    if (word.empty()) return Expected("a metric, for example accuracy(CONDITION) >= 0.5");
    std::vector<std::string> names;
    for (const MetricRow& row : GateMetrics()) {
      if (word == row.name) gate_.metric = &row;
      names.push_back(row.name);
    }
    if (gate_.metric != nullptr) return absl::OkStatus();
    const std::string nearest = Nearest(word, names);
    return ErrorAt(
        begin, absl::StrCat("unknown metric '", word.substr(0, 40), "'; ",
                            nearest.empty() ? absl::StrCat("known: ", absl::StrJoin(names, ", "))
                                            : absl::StrCat("did you mean '", nearest, "'?")));
  }

  absl::Status ReadArguments() {
    SkipSpaces();
    if (!Take('(')) return Expected(absl::StrCat("'(' as in ", gate_.metric->usage));
    std::vector<Piece> pieces;
    do {
      ASSAY_ASSIGN_OR_RETURN(Piece piece, ReadPiece());
      pieces.push_back(std::move(piece));
    } while (Take(','));
    if (!Take(')')) return Expected("')'");
    return Assign(std::move(pieces));
  }

  absl::StatusOr<Piece> ReadPiece() {
    SkipSpaces();
    Piece piece{at_, "", false};
    const char quote = Next();
    if (quote == '\'' || quote == '"') return ReadQuoted(std::move(piece));
    while (Next() != ',' && Next() != ')') {
      if (AtEnd()) return Expected("')'");
      if (Next() == '(') {
        return ErrorAt(at_, "names that contain parentheses must be quoted: '...'");
      }
      piece.text.push_back(text_[at_++]);
    }
    absl::StripTrailingAsciiWhitespace(&piece.text);
    return piece;
  }

  // A quote within quotes of its kind is written twice.
  absl::StatusOr<Piece> ReadQuoted(Piece piece) {
    piece.quoted = true;
    const char quote = text_[at_++];
    while (true) {
      if (AtEnd()) return ErrorAt(piece.position, "this quote is not closed");
      const char c = text_[at_++];
      if (c == quote && !Take(quote)) break;
      piece.text.push_back(c);
    }
    SkipSpaces();
    if (Next() != ',' && Next() != ')') return Expected("',' or ')' after the quoted text");
    return piece;
  }

  absl::Status Assign(std::vector<Piece> pieces) {
    const MetricRow& row = *gate_.metric;
    const auto wants = [&](const Piece& piece, absl::string_view what) {
      return ErrorAt(piece.position, absl::StrCat("expected ", what, ": ", row.usage));
    };
    if (!row.of_condition) {
      const bool none = pieces.size() == 1 && pieces[0].text.empty() && !pieces[0].quoted;
      return none ? absl::OkStatus() : wants(pieces[0], "')'");
    }
    if (pieces[0].text.empty()) return wants(pieces[0], "a condition");
    const Piece last = pieces.back();
    if (row.second == SecondArgument::kOptionalRadius) {
      if (pieces.size() > 1) {
        if (const auto radius = Rational::Parse(last.text); radius.ok()) {
          if (radius->numerator() < 0) return wants(last, "a radius of at least 0");
          gate_.radius = radius->ToDouble();
          pieces.pop_back();
        }
      }
    } else if (row.second != SecondArgument::kNone) {
      const char* const what = row.second == SecondArgument::kClass   ? "a class"
                               : row.second == SecondArgument::kSlice ? "COLUMN=VALUE"
                                                                      : "the name of a check";
      if (pieces.size() < 2)
        return ErrorAt(at_ - 1, absl::StrCat("expected ', ", what, "': ", row.usage));
      if (last.text.empty()) return wants(last, what);
      if (row.second == SecondArgument::kSlice) {
        if (!absl::StrContains(last.text, '=')) {
          return ErrorAt(last.position,
                         absl::StrCat("expected ", what, ", got '", last.text.substr(0, 40),
                                      "' (what contains a comma must be quoted as a whole, "
                                      "'COLUMN=VALUE'): ",
                                      row.usage));
        }
        gate_.slice = last.text;
      } else if (!last.quoted && absl::StrContains(last.text, '=')) {
        return ErrorAt(last.position, absl::StrCat("expected ", what, ", got the parameter '",
                                                   last.text.substr(0, 40),
                                                   "' of a condition (a name that looks "
                                                   "like one must be quoted): ",
                                                   row.usage));
      }
      if (row.second == SecondArgument::kClass) gate_.class_text = {last.text, last.quoted};
      if (row.second == SecondArgument::kCheckName) gate_.check = last.text;
      pieces.pop_back();
    }
    // Conditions have commas of their own.
    for (size_t i = 1; i < pieces.size(); ++i) {
      if (pieces[i].quoted || pieces[0].quoted || !absl::StrContains(pieces[i].text, '=')) {
        return wants(pieces[i], "')'");
      }
    }
    gate_.condition = absl::StrJoin(pieces, ",", [](std::string* out, const Piece& piece) {
      absl::StrAppend(out, piece.text);
    });
    return absl::OkStatus();
  }

  absl::Status ReadOperator() {
    for (const Operator& known : kOperators) {
      if (!absl::StartsWith(text_.substr(at_), known.symbol)) continue;
      gate_.comparison = known.comparison;
      at_ += absl::string_view(known.symbol).size();
      SkipSpaces();
      return absl::OkStatus();
    }
    return Expected(">=, <=, > or <");
  }

  absl::Status ReadThreshold() {
    const double largest = gate_.metric->largest;
    if (!absl::ascii_isalpha(static_cast<unsigned char>(Next()))) {
      ASSAY_ASSIGN_OR_RETURN(const Written number,
                             ReadNumber("a number such as 0.45, 8/255 or 45%, or baseline"));
      gate_.offset = number.value;
      const bool meant = number.percent && largest > 1;
      if (number.value < 0 || (number.value > largest && !meant)) return TooLarge(number, largest);
      return absl::OkStatus();
    }
    const size_t begin = at_;
    if (TakeWord() != kBaseline) {
      at_ = begin;
      return Expected("a number such as 0.45, 8/255 or 45%, or baseline");
    }
    gate_.against_baseline = true;
    SkipSpaces();
    if (AtEnd()) return absl::OkStatus();
    const char operation = Next();
    if (operation != '+' && operation != '-' && operation != '*') {
      return Expected("the end, or +, - or * and a number");
    }
    ++at_;
    SkipSpaces();
    ASSAY_ASSIGN_OR_RETURN(const Written number, ReadNumber("a number such as 0.01 or 1%"));
    if (operation == '*') {
      if (number.value <= 0) return ErrorAt(number.position, "a factor must be above 0");
      if (number.value > kLargestFactor) return TooLarge(number, kLargestFactor);
      gate_.factor = number.value;
      return absl::OkStatus();
    }
    if (number.value < 0) return ErrorAt(number.position, "write the sign before the number once");
    if (number.value >= largest) return TooLarge(number, largest);
    gate_.offset = operation == '+' ? number.value : -number.value;
    return absl::OkStatus();
  }

  // Most likely a percentage without its sign, which would let everything pass, or nothing.
  absl::Status TooLarge(const Written& number, double largest) const {
    return ErrorAt(number.position,
                   absl::StrFormat("expected a share from 0 to %g, got %g%s", largest, number.value,
                                   number.value > 0 && !number.percent
                                       ? absl::StrFormat("; did you mean %g%%?", number.value)
                                       : ""));
  }

  // "0.45", "8/255", "45%", "45 %".
  absl::StatusOr<Written> ReadNumber(absl::string_view what) {
    const size_t begin = at_;
    // A sign may stand at the front and in an exponent.
    while (absl::ascii_isalnum(static_cast<unsigned char>(Next())) || Next() == '.' ||
           Next() == '/' ||
           ((Next() == '+' || Next() == '-') &&
            (at_ == begin ||
             absl::ascii_tolower(static_cast<unsigned char>(text_[at_ - 1])) == 'e'))) {
      ++at_;
    }
    const auto number = Rational::Parse(text_.substr(begin, at_ - begin));
    if (!number.ok()) {
      at_ = begin;
      return Expected(what);
    }
    SkipSpaces();
    const bool percent = Take('%');
    SkipSpaces();
    return Written{begin, number->ToDouble() / (percent ? 100 : 1), percent};
  }

  const absl::string_view text_;
  size_t at_ = 0;
  GateExpression gate_;
};

}  // namespace

const std::vector<MetricRow>& GateMetrics() {
  using Second = SecondArgument;
  static const auto* const rows = new std::vector<MetricRow>{
      {Metric::kAccuracy, "accuracy", "accuracy(CONDITION)", true, Second::kNone, 1},
      {Metric::kClassAccuracy, "class_accuracy", "class_accuracy(CONDITION, CLASS)", true,
       Second::kClass, 1},
      {Metric::kSliceAccuracy, "slice_accuracy", "slice_accuracy(CONDITION, COLUMN=VALUE)", true,
       Second::kSlice, 1},
      {Metric::kMinClassAccuracy, "min_class_accuracy", "min_class_accuracy(CONDITION)", true,
       Second::kNone, 1},
      {Metric::kDisparity, "disparity", "disparity(CONDITION)", true, Second::kNone, 1},
      {Metric::kCfps, "cfps", "cfps(CONDITION, CLASS)", true, Second::kClass, 1},
      {Metric::kSuccessRate, "success_rate", "success_rate(CONDITION)", true, Second::kNone, 1},
      {Metric::kCertifiedAccuracy, "certified_accuracy",
       "certified_accuracy(CONDITION, RADIUS), or without RADIUS for bounds/...", true,
       Second::kOptionalRadius, 1},
      {Metric::kMeanCorruptionError, "mean_corruption_error", "mean_corruption_error()", false,
       Second::kNone, 1},
      {Metric::kMce, "mce", "mce()", false, Second::kNone, kLargestMce},
      {Metric::kCheck, "check", "check(CONDITION, NAME)", true, Second::kCheckName, 0},
  };
  return *rows;
}

absl::StatusOr<GateExpression> ParseGate(absl::string_view text) { return Parser(text).Run(); }

}  // namespace assay::report
