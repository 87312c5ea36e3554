#include "client/render/comparison_document.h"

#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace assay::render {
namespace {

constexpr size_t kMaxClassWidth = 16;

std::string Letter(int evaluation) { return std::string(1, static_cast<char>('A' + evaluation)); }

// "+1.2": points of a hundred.
std::string Points(double share) { return absl::StrFormat("%+.1f", share * 100); }

std::string PointsWithInterval(const v1::AccuracyDifference& difference) {
  if (!difference.has_value()) return kUndefined;
  return absl::StrCat(Points(difference.value()), " [", Points(difference.lower()), ", ",
                      Points(difference.upper()), "]");
}

std::string PValue(bool there, double p) { return there ? Significant(p, 2) : kUndefined; }

std::string PValue(const v1::AccuracyDifference& difference) {
  return PValue(difference.has_p_value(), difference.p_value());
}

std::string KappaText(const v1::ErrorConsistency& consistency) {
  return consistency.has_kappa() ? absl::StrFormat("%.3f", consistency.kappa()) : kUndefined;
}

// Worse or better, where that is no chance.
Tone ToneOf(const v1::AccuracyDifference& difference, bool tested, double p, double alpha) {
  if (!tested || p > alpha || difference.value() == 0) return Tone::kPlain;
  return difference.value() < 0 ? Tone::kBad : Tone::kGood;
}

Table Evaluations(const v1::Comparison& comparison) {
  Table table;
  table.columns = {{"", false}, {"evaluation", false}, {"model", false}};
  for (int i = 0; i < comparison.evaluations_size(); ++i) {
    const v1::ComparedEvaluation& evaluation = comparison.evaluations(i);
    table.rows.push_back({Letter(i), evaluation.name(), evaluation.model()});
  }
  return table;
}

// Accuracies, and what each changes against the first.
Table Overview(const v1::Comparison& comparison) {
  const double alpha = 1 - comparison.confidence_level();
  Table table;
  table.columns = {{"condition", false}};
  for (int i = 0; i < comparison.evaluations_size(); ++i) {
    table.columns.push_back({absl::StrCat(Letter(i), " %")});
  }
  for (int i = 1; i < comparison.evaluations_size(); ++i) {
    table.columns.push_back({absl::StrCat(Letter(i), " - A points")});
    table.columns.push_back({"p"});
  }
  for (const v1::ConditionComparison& condition : comparison.conditions()) {
    std::vector<Cell> row = {condition.id()};
    for (const v1::Rate& accuracy : condition.accuracies()) {
      row.push_back(PercentWithInterval(accuracy));
    }
    for (const v1::PairComparison& pair : condition.pairs()) {
      if (pair.first() != 0) continue;
      const v1::AccuracyDifference& difference = pair.all().accuracy_difference();
      row.push_back({PointsWithInterval(difference),
                     ToneOf(difference, difference.has_p_value(), difference.p_value(), alpha)});
      row.push_back(PValue(difference));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table Pairs(const v1::ConditionComparison& condition) {
  Table table;
  table.columns = {{"pair", false},
                   {"both right"},
                   {"only first"},
                   {"only second"},
                   {"none right"},
                   {"agree %"},
                   {"errors alike %"},
                   {"error consist."},
                   {"second - first points"},
                   {"p"}};
  for (const v1::PairComparison& pair : condition.pairs()) {
    const v1::PairedOutcomes& all = pair.all();
    table.rows.push_back(
        {absl::StrCat(Letter(pair.first()), " ", Letter(pair.second())), Count(all.both_right()),
         Count(all.only_first_right()), Count(all.only_second_right()), Count(all.both_wrong()),
         PercentWithInterval(all.agreement()), PercentWithInterval(all.error_agreement()),
         KappaText(all.error_consistency()), PointsWithInterval(all.accuracy_difference()),
         PValue(all.accuracy_difference())});
  }
  return table;
}

// Of all pairs; `cell` is given the pair and whether its first is the row.
Table Matrix(const std::string& title, const v1::ConditionComparison& condition,
             const std::function<std::string(const v1::PairedOutcomes&, bool)>& cell) {
  const int count = condition.accuracies_size();
  Table table;
  table.columns = {{title, false}};
  for (int i = 0; i < count; ++i) {
    table.columns.push_back({Letter(i)});
    table.rows.push_back(std::vector<Cell>(static_cast<size_t>(count) + 1, Cell("")));
    table.rows.back()[0] = Letter(i);
  }
  for (const v1::PairComparison& pair : condition.pairs()) {
    const size_t first = static_cast<size_t>(pair.first());
    const size_t second = static_cast<size_t>(pair.second());
    table.rows[first][second + 1] = cell(pair.all(), true);
    table.rows[second][first + 1] = cell(pair.all(), false);
  }
  return table;
}

void AddMatrices(const v1::ConditionComparison& condition, Document& document) {
  document.push_back(Matrix("agree %", condition, [](const v1::PairedOutcomes& pair, bool) {
    return Percent(pair.agreement());
  }));
  document.push_back(Matrix("error consist.", condition, [](const v1::PairedOutcomes& pair, bool) {
    return KappaText(pair.error_consistency());
  }));
  document.push_back(
      Matrix("row - column points", condition, [](const v1::PairedOutcomes& pair, bool first) {
        const v1::AccuracyDifference& difference = pair.accuracy_difference();
        if (!difference.has_value()) return std::string(kUndefined);
        return Points(first ? 0 - difference.value() : difference.value());
      }));
}

// What the second changes in each class.
Table Classes(const v1::PairComparison& pair, double alpha) {
  const std::string first = Letter(pair.first()), second = Letter(pair.second());
  Table table;
  table.columns = {{"class", false},
                   {"n"},
                   {absl::StrCat("only ", first)},
                   {absl::StrCat("only ", second)},
                   {absl::StrCat(second, " - ", first, " points")},
                   {"p (Holm)"},
                   {"agree %"},
                   {"errors alike %"},
                   {"error consist."},
                   {absl::StrCat("CFPS ", first, " %")},
                   {absl::StrCat("CFPS ", second, " %")},
                   {"change"}};
  for (const v1::ClassComparison& entry : pair.classes()) {
    const v1::PairedOutcomes& outcomes = entry.outcomes();
    const v1::AccuracyDifference& difference = outcomes.accuracy_difference();
    const Tone tone =
        ToneOf(difference, entry.has_adjusted_p_value(), entry.adjusted_p_value(), alpha);
    table.rows.push_back({{Shortened(Printable(entry.name()), kMaxClassWidth), tone},
                          Count(outcomes.samples()),
                          Count(outcomes.only_first_right()),
                          Count(outcomes.only_second_right()),
                          {PointsWithInterval(difference), tone},
                          PValue(entry.has_adjusted_p_value(), entry.adjusted_p_value()),
                          Percent(outcomes.agreement()),
                          Percent(outcomes.error_agreement()),
                          KappaText(outcomes.error_consistency()),
                          Percent(entry.first_cfps()),
                          Percent(entry.second_cfps()),
                          entry.has_cfps_change() ? Points(entry.cfps_change()) : kUndefined});
  }
  return table;
}

void AddOracle(const v1::ConditionComparison& condition, const std::string& oracle,
               Document& document) {
  if (!condition.has_oracle()) return;
  if (!condition.oracle().undefined_reason().empty()) {
    document.push_back(
        Lines{{absl::StrCat("oracle: - (", condition.oracle().undefined_reason(), ")")}});
    return;
  }
  Table table;
  table.columns = {{absl::StrCat("where ", oracle, " is right"), false}, {"accuracy %"}, {"FMR %"}};
  for (const v1::OracleModel& model : condition.oracle().models()) {
    table.rows.push_back({Letter(model.evaluation()), PercentWithInterval(model.accuracy()),
                          model.has_fmr() ? Percent(model.fmr()) : kUndefined});
  }
  document.push_back(std::move(table));
}

std::string OracleLetter(const v1::Comparison& comparison) {
  for (int i = 0; i < comparison.evaluations_size(); ++i) {
    if (comparison.evaluations(i).name() == comparison.oracle()) return Letter(i);
  }
  return kUndefined;
}

void AddRemarks(const v1::Comparison& comparison, Document& document) {
  Lines left_out;
  for (const v1::LeftOutCondition& condition : comparison.left_out()) {
    left_out.lines.push_back(absl::StrCat("left out: ", condition.id(), ", only in ",
                                          absl::StrJoin(condition.evaluations(), ", ")));
  }
  if (!left_out.lines.empty()) document.push_back(std::move(left_out));
  if (comparison.notes_size() > 0) {
    Lines notes{{}, Tone::kNotice};
    for (const std::string& note : comparison.notes()) {
      notes.lines.push_back(absl::StrCat("note: ", note));
    }
    document.push_back(std::move(notes));
  }
}

}  // namespace

Document ComparisonDocument(const v1::Comparison& comparison) {
  const double alpha = 1 - comparison.confidence_level();
  Document document;
  document.push_back(
      Heading{"comparison", absl::StrCat(comparison.dataset(), ", ", Count(comparison.samples()),
                                         " samples, seed ", comparison.seed(), ", intervals of ",
                                         Significant(100 * comparison.confidence_level()), " %")});
  document.push_back(Evaluations(comparison));
  AddRemarks(comparison, document);
  document.push_back(Overview(comparison));
  for (const v1::ConditionComparison& condition : comparison.conditions()) {
    document.push_back(
        Heading{condition.id(), condition.own_images() ? "each under its own attack" : ""});
    document.push_back(Pairs(condition));
    if (condition.accuracies_size() > 2) AddMatrices(condition, document);
    AddOracle(condition, OracleLetter(comparison), document);
    for (const v1::PairComparison& pair : condition.pairs()) {
      if (pair.classes_size() > 0) document.push_back(Classes(pair, alpha));
    }
  }
  return document;
}

}  // namespace assay::render
