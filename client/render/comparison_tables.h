// The tables of a comparison, for text and page alike. Evaluations have letters in their order: A,
// B and so on.
#ifndef ASSAY_CLIENT_RENDER_COMPARISON_TABLES_H_
#define ASSAY_CLIENT_RENDER_COMPARISON_TABLES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "assay/v1/comparison.pb.h"
#include "client/render/document.h"

namespace assay::render {

// "A" for 0.
std::string EvaluationLetter(int evaluation);
// "+1.2": a difference of shares in points of a hundred.
std::string Points(double share);
// "+1.2 [-0.5, +2.9]", or "-".
std::string PointsWithInterval(const v1::AccuracyDifference& difference);

// Letters, evaluations, models, layers of kept features where there are any.
Table EvaluationsTable(const v1::Comparison& comparison);
// A row a condition: accuracies, and what each changes against the first.
Table OverviewTable(const v1::Comparison& comparison);

// Of every condition and pair what is known of how alike they are, without intervals. Fills in
// which condition each row is of.
Table LikenessTable(const v1::Comparison& comparison, std::vector<int>* conditions);

// --- of a condition: a row a pair

Table PairsTable(const v1::ConditionComparison& condition);
// Divergence, CKA, neighbours; no rows where none of them is known.
Table VectorsTable(const v1::ConditionComparison& condition);
// Retrained heads, likewise.
Table HeadsTable(const v1::ConditionComparison& condition);

// Everything that pairs have, as squares with shades, of which those without any number are left
// out. `title` says what it is.
struct PairMatrix {
  std::string title;
  Table table;
};
std::vector<PairMatrix> PairMatrices(const v1::ConditionComparison& condition);

// What the second changes in each class. `level`: the confidence level.
Table ClassChangesTable(const v1::PairComparison& pair, double level, size_t class_width);

// Empty where there is no oracle, or where it says nothing.
Table OracleTable(const v1::Comparison& comparison, const v1::ConditionComparison& condition);

// --- of all conditions

Table TransferTable(const v1::TransferMatrix& matrix);
// "eps=8/255, norm=linf, ..."
std::string TransferParameters(const v1::TransferMatrix& matrix);

// What was left out, and what to know.
std::vector<std::string> LeftOutLines(const v1::Comparison& comparison);
std::vector<std::string> NoteLines(const v1::Comparison& comparison);

// Why numbers of vectors are missing: what holds under every condition, and what is special about
// one.
std::vector<std::string> MissingEverywhere(const v1::Comparison& comparison);
std::vector<std::string> MissingUnder(const v1::Comparison& comparison,
                                      const v1::ConditionComparison& condition);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_COMPARISON_TABLES_H_
