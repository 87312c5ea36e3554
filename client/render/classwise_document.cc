#include "client/render/classwise_document.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"
#include "client/render/class_labels.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace assay::render {

std::vector<int> MostConfused(const v1::ConditionReport& condition, int most) {
  const int classes = condition.confusion_matrix_size();
  std::vector<int> chosen(static_cast<size_t>(classes));
  std::iota(chosen.begin(), chosen.end(), 0);
  if (classes <= most) return chosen;
  std::vector<int64_t> errors(static_cast<size_t>(classes));
  for (int i = 0; i < classes; ++i) {
    const auto& counts = condition.confusion_matrix(i).counts();
    for (int j = 0; j < std::min(counts.size(), classes); ++j) {
      if (i == j) continue;
      errors[static_cast<size_t>(i)] += counts[j];
      errors[static_cast<size_t>(j)] += counts[j];
    }
  }
  std::stable_sort(chosen.begin(), chosen.end(), [&](int a, int b) {
    return errors[static_cast<size_t>(a)] > errors[static_cast<size_t>(b)];
  });
  chosen.resize(static_cast<size_t>(most));
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

Table ConfusionTable(const v1::ConditionReport& condition, const std::vector<int>& classes,
                     const ReportStyle& style) {
  const int all = condition.confusion_matrix_size();
  const bool others = static_cast<int>(classes.size()) < all;
  Table table;
  table.columns = {{"true class", false}};
  for (const int j : classes) {
    table.columns.push_back({Shortened(ClassAt(condition, j, style), style.head_width)});
  }
  if (others) table.columns.push_back({"others"});
  if (condition.has_abstain_column()) table.columns.push_back({"abstained"});
  for (const int i : classes) {
    const auto& counts = condition.confusion_matrix(i).counts();
    const v1::ClassReport* own = FindClass(condition, i);
    const auto samples = static_cast<double>(own == nullptr ? 0 : own->samples());
    std::vector<Cell> row = {ClassAt(condition, i, style)};
    const auto add = [&](int64_t count) {
      const double share = samples > 0 ? static_cast<double>(count) / samples : 0;
      row.push_back({Count(count), Tone::kPlain, share});
    };
    int64_t elsewhere =
        std::accumulate(counts.begin(), counts.begin() + std::min(all, counts.size()), int64_t{0});
    for (const int j : classes) {
      const int64_t count = j < counts.size() ? counts[j] : 0;
      elsewhere -= count;
      add(count);
    }
    if (others) add(elsewhere);
    if (condition.has_abstain_column()) add(all < counts.size() ? counts[all] : 0);
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table DifferencesTable(const v1::ConditionReport& condition, int most, const ReportStyle& style) {
  std::vector<const v1::ClassDifference*> pairs;
  for (const auto& pair : condition.significant_differences()) pairs.push_back(&pair);
  std::stable_sort(
      pairs.begin(), pairs.end(), [](const v1::ClassDifference* a, const v1::ClassDifference* b) {
        return std::make_tuple(a->adjusted_p_value(), -std::abs(a->accuracy_difference())) <
               std::make_tuple(b->adjusted_p_value(), -std::abs(b->accuracy_difference()));
      });
  if (pairs.size() > static_cast<size_t>(most)) pairs.resize(static_cast<size_t>(most));
  Table table;
  table.columns = {
      {"class", false}, {"compared with", false}, {"difference, points"}, {"adjusted p"}};
  for (const v1::ClassDifference* pair : pairs) {
    table.rows.push_back({ClassAt(condition, pair->first(), style),
                          ClassAt(condition, pair->second(), style),
                          absl::StrFormat("%+.1f", pair->accuracy_difference() * 100),
                          Significant(pair->adjusted_p_value(), 2)});
  }
  return table;
}

}  // namespace assay::render
