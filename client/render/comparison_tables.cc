#include "client/render/comparison_tables.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/render/class_labels.h"
#include "client/render/numbers.h"
#include "client/render/report_style.h"
#include "client/render/text.h"

namespace assay::render {
namespace {

std::string PValue(bool there, double p) { return there ? Significant(p, 2) : kUndefined; }

std::string PValue(const v1::AccuracyDifference& difference) {
  return PValue(difference.has_p_value(), difference.p_value());
}

std::string KappaText(const v1::ErrorConsistency& consistency) {
  return consistency.has_kappa() ? absl::StrFormat("%.3f", consistency.kappa()) : kUndefined;
}

// "0.612 [0.580, 0.644]".
std::string EstimateText(const v1::Estimate& estimate) {
  if (!estimate.has_value()) return kUndefined;
  return absl::StrFormat("%.3f [%.3f, %.3f]", estimate.value(), estimate.lower(), estimate.upper());
}

// Worse or better, where that is no chance.
Tone ToneOf(const v1::AccuracyDifference& difference, bool tested, double p, double level) {
  if (!tested || p > 1 - level || difference.value() == 0) return Tone::kPlain;
  return difference.value() < 0 ? Tone::kBad : Tone::kGood;
}

std::string PairName(const v1::PairComparison& pair) {
  return absl::StrCat(EvaluationLetter(pair.first()), " ", EvaluationLetter(pair.second()));
}

bool HasVectors(const v1::PairComparison& pair) {
  return pair.all().divergence().has_value() || pair.cka().has_value() ||
         pair.neighbours().has_value();
}

// A number of a pair in a matrix; without a value an empty cell is a dash.
struct Number {
  std::string text;
  std::optional<double> shade;
};
// `first`: whether the row is the first of the pair.
using NumberOf = std::function<std::optional<Number>(const v1::PairComparison&, bool first)>;

std::optional<Number> Shaded(const v1::Rate& rate) {
  if (!rate.has_value()) return std::nullopt;
  return Number{Percent(rate), rate.value()};
}

std::optional<Number> Shaded(const v1::Estimate& estimate) {
  if (!estimate.has_value()) return std::nullopt;
  return Number{absl::StrFormat("%.3f", estimate.value()), estimate.value()};
}

std::optional<Number> KappaNumber(const v1::ErrorConsistency& consistency) {
  if (!consistency.has_kappa()) return std::nullopt;
  return Number{KappaText(consistency), std::max(0.0, consistency.kappa())};
}

std::optional<Number> DifferenceNumber(const v1::AccuracyDifference& difference, bool first) {
  if (!difference.has_value()) return std::nullopt;
  return Number{Points(first ? 0 - difference.value() : difference.value()), std::nullopt};
}

struct MatrixKind {
  const char* title;
  NumberOf number;
};

const std::vector<MatrixKind>& MatrixKinds() {
  using Pair = v1::PairComparison;
  static const auto* const kinds = new std::vector<MatrixKind>{
      {"agree %", [](const Pair& pair, bool) { return Shaded(pair.all().agreement()); }},
      {"error consist.",
       [](const Pair& pair, bool) { return KappaNumber(pair.all().error_consistency()); }},
      {"row - column points",
       [](const Pair& pair, bool first) {
         return DifferenceNumber(pair.all().accuracy_difference(), first);
       }},
      {"JS bits", [](const Pair& pair, bool) { return Shaded(pair.all().divergence()); }},
      {"linear CKA", [](const Pair& pair, bool) { return Shaded(pair.cka()); }},
      {"10-NN Jaccard", [](const Pair& pair, bool) { return Shaded(pair.neighbours()); }},
      {"new heads agree %",
       [](const Pair& pair, bool) { return Shaded(pair.retrained_heads().agreement_after()); }},
  };
  return *kinds;
}

Table Matrix(const MatrixKind& kind, const v1::ConditionComparison& condition, bool* any) {
  const int count = condition.accuracies_size();
  Table table;
  table.columns = {{kind.title, false}};
  for (int i = 0; i < count; ++i) {
    table.columns.push_back({EvaluationLetter(i)});
    table.rows.push_back(std::vector<Cell>(static_cast<size_t>(count) + 1, Cell("")));
    table.rows.back()[0] = EvaluationLetter(i);
  }
  *any = false;
  for (const v1::PairComparison& pair : condition.pairs()) {
    for (const bool first : {true, false}) {
      const auto row = static_cast<size_t>(first ? pair.first() : pair.second());
      const auto column = static_cast<size_t>(first ? pair.second() : pair.first());
      const std::optional<Number> number = kind.number(pair, first);
      *any |= number.has_value();
      table.rows[row][column + 1] =
          number.has_value() ? Cell(number->text, Tone::kPlain, number->shade) : Cell(kUndefined);
    }
  }
  return table;
}

std::string BeforeAndAfter(const v1::Rate& before, const v1::Rate& after) {
  return absl::StrCat(Percent(before), " -> ", Percent(after));
}

// "softmax: REASON" and so on, each once.
std::vector<std::string> Missing(const v1::ConditionComparison& condition) {
  std::vector<std::string> lines;
  const auto add = [&](const char* what, const std::string& reason) {
    if (reason.empty()) return;
    std::string line = absl::StrCat(what, ": - (", reason, ")");
    if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
  };
  for (const v1::PairComparison& pair : condition.pairs()) {
    add("softmax", pair.all().divergence().undefined_reason());
    const std::string& features = pair.cka().undefined_reason();
    add("features", features);
    if (pair.neighbours().undefined_reason() != features) {
      add("neighbours", pair.neighbours().undefined_reason());
    }
    if (pair.retrained_heads().undefined_reason() != features) {
      add("new heads", pair.retrained_heads().undefined_reason());
    }
  }
  return lines;
}

}  // namespace

std::string EvaluationLetter(int evaluation) {
  return std::string(1, static_cast<char>('A' + evaluation));
}

std::string Points(double share) { return absl::StrFormat("%+.1f", share * 100); }

std::string PointsWithInterval(const v1::AccuracyDifference& difference) {
  if (!difference.has_value()) return kUndefined;
  return absl::StrCat(Points(difference.value()), " [", Points(difference.lower()), ", ",
                      Points(difference.upper()), "]");
}

Table EvaluationsTable(const v1::Comparison& comparison) {
  const bool features =
      std::any_of(comparison.evaluations().begin(), comparison.evaluations().end(),
                  [](const auto& evaluation) { return !evaluation.features().empty(); });
  Table table;
  table.columns = {{"", false}, {"evaluation", false}, {"model", false}};
  if (features) table.columns.push_back({"features of", false});
  for (int i = 0; i < comparison.evaluations_size(); ++i) {
    const v1::ComparedEvaluation& evaluation = comparison.evaluations(i);
    table.rows.push_back({EvaluationLetter(i), evaluation.name(), evaluation.model()});
    if (!features) continue;
    table.rows.back().emplace_back(evaluation.features().empty() ? kUndefined
                                                                 : evaluation.features());
  }
  return table;
}

Table OverviewTable(const v1::Comparison& comparison) {
  Table table;
  table.columns = {{"condition", false}};
  for (int i = 0; i < comparison.evaluations_size(); ++i) {
    table.columns.push_back({absl::StrCat(EvaluationLetter(i), " %")});
  }
  for (int i = 1; i < comparison.evaluations_size(); ++i) {
    table.columns.push_back({absl::StrCat(EvaluationLetter(i), " - A points")});
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
                     ToneOf(difference, difference.has_p_value(), difference.p_value(),
                            comparison.confidence_level())});
      row.push_back(PValue(difference));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table LikenessTable(const v1::Comparison& comparison, std::vector<int>* conditions) {
  const bool many = comparison.evaluations_size() > 2;
  // Points are what the overview tells.
  std::vector<const MatrixKind*> kinds;
  for (const MatrixKind& kind : MatrixKinds()) {
    const bool any = std::any_of(
        comparison.conditions().begin(), comparison.conditions().end(), [&](const auto& condition) {
          return std::any_of(condition.pairs().begin(), condition.pairs().end(),
                             [&](const auto& pair) {
                               const auto number = kind.number(pair, true);
                               return number.has_value() && number->shade.has_value();
                             });
        });
    if (any) kinds.push_back(&kind);
  }
  Table table;
  table.columns = {{"condition", false}};
  if (many) table.columns.push_back({"pair", false});
  for (const MatrixKind* kind : kinds) table.columns.push_back({kind->title});
  for (int i = 0; i < comparison.conditions_size(); ++i) {
    for (const v1::PairComparison& pair : comparison.conditions(i).pairs()) {
      std::vector<Cell> row = {comparison.conditions(i).id()};
      if (many) row.emplace_back(PairName(pair));
      for (const MatrixKind* kind : kinds) {
        const std::optional<Number> number = kind->number(pair, true);
        row.push_back(number.has_value() ? Cell(number->text, Tone::kPlain, number->shade)
                                         : Cell(kUndefined));
      }
      table.rows.push_back(std::move(row));
      conditions->push_back(i);
    }
  }
  return table;
}

Table PairsTable(const v1::ConditionComparison& condition) {
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
        {PairName(pair), Count(all.both_right()), Count(all.only_first_right()),
         Count(all.only_second_right()), Count(all.both_wrong()),
         PercentWithInterval(all.agreement()), PercentWithInterval(all.error_agreement()),
         KappaText(all.error_consistency()), PointsWithInterval(all.accuracy_difference()),
         PValue(all.accuracy_difference())});
  }
  return table;
}

Table VectorsTable(const v1::ConditionComparison& condition) {
  Table table;
  table.columns = {{"pair", false}, {"JS bits"}, {"linear CKA"}, {"10-NN Jaccard"}};
  for (const v1::PairComparison& pair : condition.pairs()) {
    if (!HasVectors(pair)) continue;
    table.rows.push_back({PairName(pair), EstimateText(pair.all().divergence()),
                          EstimateText(pair.cka()), EstimateText(pair.neighbours())});
  }
  return table;
}

Table HeadsTable(const v1::ConditionComparison& condition) {
  Table table;
  table.columns = {{"new heads", false}, {"trained on"},    {"judged on"},     {"agree %"},
                   {"agree after %"},    {"first right %"}, {"second right %"}};
  for (const v1::PairComparison& pair : condition.pairs()) {
    const v1::RetrainedHeads& heads = pair.retrained_heads();
    if (heads.judged_on() == 0) continue;
    table.rows.push_back(
        {PairName(pair), Count(heads.trained_on()), Count(heads.judged_on()),
         PercentWithInterval(heads.agreement_before()),
         PercentWithInterval(heads.agreement_after()),
         BeforeAndAfter(heads.first_accuracy_before(), heads.first_accuracy_after()),
         BeforeAndAfter(heads.second_accuracy_before(), heads.second_accuracy_after())});
  }
  return table;
}

std::vector<PairMatrix> PairMatrices(const v1::ConditionComparison& condition) {
  std::vector<PairMatrix> matrices;
  for (const MatrixKind& kind : MatrixKinds()) {
    bool any = false;
    Table table = Matrix(kind, condition, &any);
    if (any) matrices.push_back({kind.title, std::move(table)});
  }
  return matrices;
}

Table ClassChangesTable(const v1::PairComparison& pair, double level, size_t class_width) {
  const std::string first = EvaluationLetter(pair.first());
  const std::string second = EvaluationLetter(pair.second());
  const bool divergences =
      std::any_of(pair.classes().begin(), pair.classes().end(),
                  [](const auto& entry) { return entry.outcomes().divergence().has_value(); });
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
  if (divergences) table.columns.push_back({"JS bits"});
  ReportStyle style;
  style.class_width = class_width;
  for (const v1::ClassComparison& entry : pair.classes()) {
    const v1::PairedOutcomes& outcomes = entry.outcomes();
    const v1::AccuracyDifference& difference = outcomes.accuracy_difference();
    const Tone tone =
        ToneOf(difference, entry.has_adjusted_p_value(), entry.adjusted_p_value(), level);
    table.rows.push_back({{ClassLabel(entry.name(), entry.index(), style), tone},
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
    if (divergences) table.rows.back().emplace_back(EstimateText(outcomes.divergence()));
    table.classes.push_back(entry.index());
  }
  return table;
}

Table OracleTable(const v1::Comparison& comparison, const v1::ConditionComparison& condition) {
  std::string oracle = kUndefined;
  for (int i = 0; i < comparison.evaluations_size(); ++i) {
    if (comparison.evaluations(i).name() == comparison.oracle()) oracle = EvaluationLetter(i);
  }
  Table table;
  table.columns = {{absl::StrCat("where ", oracle, " is right"), false}, {"accuracy %"}, {"FMR %"}};
  for (const v1::OracleModel& model : condition.oracle().models()) {
    table.rows.push_back({EvaluationLetter(model.evaluation()),
                          PercentWithInterval(model.accuracy()),
                          model.has_fmr() ? Percent(model.fmr()) : kUndefined});
  }
  return table;
}

Table TransferTable(const v1::TransferMatrix& matrix) {
  Table table;
  table.columns = {{"made on", false}};
  for (const v1::TransferMatrix::Row& row : matrix.rows()) {
    while (static_cast<int>(table.columns.size()) <= row.success_rates_size()) {
      const int evaluation = static_cast<int>(table.columns.size()) - 1;
      table.columns.push_back({absl::StrCat("fools ", EvaluationLetter(evaluation), " %")});
    }
    std::vector<Cell> cells = {EvaluationLetter(row.surrogate())};
    for (const v1::Rate& rate : row.success_rates()) {
      const std::optional<double> shade =
          rate.has_value() ? std::optional<double>(rate.value()) : std::nullopt;
      cells.emplace_back(PercentWithInterval(rate), Tone::kPlain, shade);
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::string TransferParameters(const v1::TransferMatrix& matrix) {
  std::vector<std::string> values;
  for (const auto& [name, value] : matrix.parameters()) {
    values.push_back(absl::StrCat(name, "=", value));
  }
  // Maps have no order.
  std::sort(values.begin(), values.end());
  return absl::StrJoin(values, ", ");
}

std::vector<std::string> LeftOutLines(const v1::Comparison& comparison) {
  std::vector<std::string> lines;
  for (const v1::LeftOutCondition& condition : comparison.left_out()) {
    lines.push_back(absl::StrCat("left out: ", condition.id(), ", only in ",
                                 absl::StrJoin(condition.evaluations(), ", ")));
  }
  return lines;
}

std::vector<std::string> NoteLines(const v1::Comparison& comparison) {
  std::vector<std::string> lines;
  for (const std::string& note : comparison.notes()) lines.push_back(absl::StrCat("note: ", note));
  return lines;
}

std::vector<std::string> MissingEverywhere(const v1::Comparison& comparison) {
  std::vector<std::string> everywhere;
  for (int i = 0; i < comparison.conditions_size(); ++i) {
    const std::vector<std::string> lines = Missing(comparison.conditions(i));
    if (i == 0) everywhere = lines;
    everywhere.erase(std::remove_if(everywhere.begin(), everywhere.end(),
                                    [&](const std::string& line) {
                                      return std::find(lines.begin(), lines.end(), line) ==
                                             lines.end();
                                    }),
                     everywhere.end());
  }
  return everywhere;
}

std::vector<std::string> MissingUnder(const v1::Comparison& comparison,
                                      const v1::ConditionComparison& condition) {
  const std::vector<std::string> everywhere = MissingEverywhere(comparison);
  std::vector<std::string> lines = Missing(condition);
  lines.erase(std::remove_if(lines.begin(), lines.end(),
                             [&](const std::string& line) {
                               return std::find(everywhere.begin(), everywhere.end(), line) !=
                                      everywhere.end();
                             }),
              lines.end());
  return lines;
}

}  // namespace assay::render
