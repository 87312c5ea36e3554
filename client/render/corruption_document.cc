#include "client/render/corruption_document.h"

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/render/class_labels.h"
#include "client/render/condition_facts.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace assay::render {
namespace {

std::string ClassName(const v1::Report& report, int32_t index, const ReportStyle& style) {
  if (index < 0 || index >= report.class_names_size()) return kUndefined;
  return ClassLabel(report.class_names(index), index, style);
}

// The accuracies of one corruption by cell.
struct CellMap {
  std::string title;
  int grid = 0;
  std::map<int, const v1::ConditionReport*> cells;
};

Table MapTable(const CellMap& map) {
  Table table;
  table.columns.push_back({"row", false});
  for (int x = 0; x < map.grid; ++x) table.columns.push_back({absl::StrCat("col ", x)});
  const v1::ConditionReport* worst = nullptr;
  for (const auto& [index, cell] : map.cells) {
    if (!cell->accuracy().has_value()) continue;
    if (worst == nullptr || cell->accuracy().value() < worst->accuracy().value()) worst = cell;
  }
  for (int y = 0; y < map.grid; ++y) {
    std::vector<Cell> row = {absl::StrCat(y)};
    for (int x = 0; x < map.grid; ++x) {
      const auto found = map.cells.find(y * map.grid + x);
      if (found == map.cells.end()) {
        row.push_back(kUndefined);
      } else {
        const v1::Rate& accuracy = found->second->accuracy();
        row.push_back(accuracy.has_value() ? ShadedPercent(accuracy.value()) : Cell(kUndefined));
        if (found->second == worst) row.back().tone = Tone::kBad;
      }
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

void AddCorruptionSummary(const v1::Report& report, const ReportStyle& style, Document& document) {
  if (!report.has_corruption_summary()) return;
  const v1::CorruptionSummary& summary = report.corruption_summary();
  std::set<double> severities;
  bool normalised = false;
  for (const auto& entry : summary.corruptions()) {
    severities.insert(entry.severities().begin(), entry.severities().end());
    normalised = normalised || entry.has_ce();
  }
  Table table;
  table.columns.push_back({"error %", false});
  for (double severity : severities) table.columns.push_back({Significant(severity)});
  table.columns.push_back({"mean"});
  if (normalised) {
    table.columns.push_back({"CE"});
    table.columns.push_back({"rel. CE"});
  }
  table.columns.push_back({"hurts most", false});
  table.columns.push_back({"in favour of", false});
  for (const auto& entry : summary.corruptions()) {
    std::map<double, double> errors;
    for (int i = 0; i < entry.severities_size(); ++i) errors[entry.severities(i)] = entry.errors(i);
    std::vector<Cell> row = {entry.corruption()};
    for (double severity : severities) {
      const auto found = errors.find(severity);
      row.push_back(found == errors.end() ? Cell(kUndefined) : ShadedPercent(found->second));
    }
    row.push_back(Percent(entry.mean_error()));
    if (normalised) {
      row.push_back(entry.has_ce() ? Percent(entry.ce()) : kUndefined);
      row.push_back(entry.has_relative_ce() ? Percent(entry.relative_ce()) : kUndefined);
    }
    row.push_back(ClassName(report, entry.weakest_class(), style));
    row.push_back(ClassName(report, entry.strongest_sink(), style));
    table.rows.push_back(std::move(row));
  }
  document.push_back(Heading{"corruptions", ""});
  document.push_back(std::move(table));
  Lines lines;
  lines.lines.push_back(
      summary.has_mean_error()
          ? absl::StrCat("mean error over the 15 published corruptions and 5 severities: ",
                         Percent(summary.mean_error()), " %")
          : "mean error of the benchmark: -, as some of its 15 corruptions or 5 severities are not "
            "here");
  if (summary.has_mce()) {
    lines.lines.push_back(absl::StrCat(
        "mCE ", Percent(summary.mce()), " %, relative mCE ",
        summary.has_relative_mce() ? Percent(summary.relative_mce()) + " %" : kUndefined));
  }
  lines.lines.push_back(absl::StrCat("normaliser: ", Printable(summary.normaliser())));
  document.push_back(std::move(lines));
}

void AddSensitivityMaps(const v1::Report& report, Document& document) {
  std::vector<std::string> order;
  std::map<std::string, CellMap> maps;
  for (const auto& condition : report.conditions()) {
    int grid = 0, cell = 0;
    if (!absl::SimpleAtoi(Parameter(condition, "grid"), &grid) || grid < 2 ||
        !absl::SimpleAtoi(Parameter(condition, "cell"), &cell)) {
      continue;
    }
    const std::string title = condition.id().substr(0, condition.id().rfind(",cell="));
    if (maps.count(title) == 0) order.push_back(title);
    maps[title].title = title;
    maps[title].grid = grid;
    maps[title].cells[cell] = &condition;
  }
  for (const std::string& title : order) {
    document.push_back(Heading{title, "sensitivity: accuracy % with only that cell changed"});
    document.push_back(MapTable(maps[title]));
  }
}

void AddSequenceSummary(const v1::Report& report, const ReportStyle& style, Document& document) {
  Table table;
  table.columns = {{"sequence", false}, {"flip rate %"}, {"flips most", false}};
  double sum = 0;
  int defined = 0;
  for (const auto& condition : report.conditions()) {
    if (!condition.has_sequence()) continue;
    const v1::SequenceReport& sequence = condition.sequence();
    const v1::SequenceClass* worst = nullptr;
    for (const auto& entry : sequence.classes()) {
      if (!entry.flip_rate().has_value()) continue;
      if (worst == nullptr || entry.flip_rate().value() > worst->flip_rate().value())
        worst = &entry;
    }
    table.rows.push_back(
        {condition.id(), Percent(sequence.flip_rate()),
         worst == nullptr ? kUndefined : ClassName(report, worst->index(), style)});
    if (!sequence.flip_rate().has_value()) continue;
    sum += sequence.flip_rate().value();
    ++defined;
  }
  if (table.rows.size() < 2) return;
  document.push_back(Heading{"sequences", ""});
  document.push_back(std::move(table));
  document.push_back(Lines{{absl::StrCat(
      "mean flip rate: ", defined == 0 ? kUndefined : Percent(sum / defined),
      " %, unnormalised: mFR divides by AlexNet's flip rates on the videos of ImageNet-P, which "
      "these are not")}});
}

void AddSequence(const v1::ConditionReport& condition, const ReportStyle& style,
                 Document& document) {
  const v1::SequenceReport& sequence = condition.sequence();
  const bool first = Parameter(condition, "compare") == "first";
  document.push_back(Lines{
      {absl::StrCat("flip rate ", Percent(sequence.flip_rate()), " % of ",
                    Count(sequence.flip_rate().denominator()), " steps (", sequence.frames(),
                    " frames, each compared with the ", first ? "first" : "one before", ")")}});
  Table table;
  table.columns = {{"class", false}, {"flip rate %"}};
  for (const auto& entry : sequence.classes()) {
    table.classes.push_back(entry.index());
    table.rows.push_back({ClassAt(condition, entry.index(), style), Percent(entry.flip_rate())});
  }
  if (!table.rows.empty()) document.push_back(std::move(table));
}

}  // namespace assay::render
