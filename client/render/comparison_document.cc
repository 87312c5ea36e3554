#include "client/render/comparison_document.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/render/comparison_tables.h"
#include "client/render/numbers.h"
#include "client/render/report_style.h"

namespace assay::render {
namespace {

void AddLines(std::vector<std::string> lines, Tone tone, Document& document) {
  if (!lines.empty()) document.push_back(Lines{std::move(lines), tone});
}

void AddTable(Table table, Document& document) {
  if (!table.rows.empty()) document.push_back(std::move(table));
}

void AddOracle(const v1::Comparison& comparison, const v1::ConditionComparison& condition,
               Document& document) {
  const std::string& reason = condition.oracle().undefined_reason();
  if (!reason.empty()) AddLines({absl::StrCat("oracle: - (", reason, ")")}, Tone::kPlain, document);
  AddTable(OracleTable(comparison, condition), document);
}

void AddCondition(const v1::Comparison& comparison, const v1::ConditionComparison& condition,
                  Document& document) {
  document.push_back(
      Heading{condition.id(), condition.own_images() ? "each under its own attack" : ""});
  document.push_back(PairsTable(condition));
  AddTable(VectorsTable(condition), document);
  AddTable(HeadsTable(condition), document);
  AddLines(MissingUnder(comparison, condition), Tone::kPlain, document);
  if (condition.accuracies_size() > 2) {
    for (PairMatrix& matrix : PairMatrices(condition)) document.push_back(std::move(matrix.table));
  }
  AddOracle(comparison, condition, document);
  for (const v1::PairComparison& pair : condition.pairs()) {
    if (pair.classes_size() == 0) continue;
    document.push_back(
        ClassChangesTable(pair, comparison.confidence_level(), ReportStyle().class_width));
  }
}

}  // namespace

Document ComparisonDocument(const v1::Comparison& comparison) {
  Document document;
  document.push_back(
      Heading{"comparison", absl::StrCat(comparison.dataset(), ", ", Count(comparison.samples()),
                                         " samples, seed ", comparison.seed(), ", intervals of ",
                                         Significant(100 * comparison.confidence_level()), " %")});
  document.push_back(EvaluationsTable(comparison));
  AddLines(LeftOutLines(comparison), Tone::kPlain, document);
  AddLines(NoteLines(comparison), Tone::kNotice, document);
  AddLines(MissingEverywhere(comparison), Tone::kPlain, document);
  document.push_back(OverviewTable(comparison));
  for (const v1::TransferMatrix& matrix : comparison.transfers()) {
    document.push_back(Heading{"transfer", TransferParameters(matrix)});
    document.push_back(TransferTable(matrix));
  }
  for (const v1::ConditionComparison& condition : comparison.conditions()) {
    AddCondition(comparison, condition, document);
  }
  return document;
}

}  // namespace assay::render
