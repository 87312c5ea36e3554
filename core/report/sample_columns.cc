#include "core/report/sample_columns.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/statistics/quartiles.h"

namespace assay::report {
namespace {

constexpr size_t kMostSingleNumbers = 4;
constexpr int kFewestDigits = 4;
constexpr int kMostDigits = 17;
// Whole numbers below are printed in full.
constexpr double kLargestWhole = 1e15;

// Slices of what is missing are made when the first sample needs one.
int32_t Missing(SampleColumn* column) {
  if (column->slices.empty() || column->slices.back().value != kMissingValue) {
    column->slices.push_back({kMissingValue, std::nullopt, std::nullopt});
  }
  return static_cast<int32_t>(column->slices.size()) - 1;
}

// Different numbers, ascending, as texts that differ: as short as that allows.
std::vector<std::string> Printed(const std::vector<double>& numbers) {
  const bool whole = std::all_of(numbers.begin(), numbers.end(), [](double number) {
    return number == std::floor(number) && std::abs(number) < kLargestWhole;
  });
  std::vector<std::string> texts;
  for (int digits = kFewestDigits; digits <= kMostDigits; ++digits) {
    texts.clear();
    for (const double number : numbers) {
      texts.push_back(whole ? absl::StrFormat("%.0f", number)
                            : absl::StrFormat("%.*g", digits, number));
    }
    if (std::adjacent_find(texts.begin(), texts.end()) == texts.end()) break;
  }
  return texts;
}

std::string RangeText(const std::string& from, const std::string& to) {
  return from == to ? from : absl::StrCat(from, "..", to);
}

// The ranges between given edges, whose ends are open.
std::vector<SampleSlice> OpenRanges(const std::vector<double>& edges) {
  std::vector<SampleSlice> slices(edges.size() + 1);
  for (size_t i = 0; i < slices.size(); ++i) {
    std::string from, to;
    if (i > 0) {
      slices[i].from = edges[i - 1];
      from = NumberText(edges[i - 1]);
    }
    if (i < edges.size()) {
      slices[i].to = edges[i];
      to = NumberText(edges[i]);
    }
    slices[i].value = absl::StrCat(from, "..", to);
  }
  return slices;
}

// The ranges from the smallest number over `edges` to the largest.
std::vector<SampleSlice> ClosedRanges(double smallest, const std::vector<double>& edges,
                                      double largest) {
  std::vector<double> ends = {smallest};
  ends.insert(ends.end(), edges.begin(), edges.end());
  if (ends.back() < largest) ends.push_back(largest);
  const std::vector<std::string> texts = Printed(ends);
  std::vector<SampleSlice> slices(edges.size() + 1);
  for (size_t i = 0; i < slices.size(); ++i) {
    const size_t to = std::min(i + 1, ends.size() - 1);
    slices[i] = {RangeText(texts[i], texts[to]), ends[i], ends[to]};
  }
  return slices;
}

// Quartiles, each moved up to the next number; those that nothing lies below of are no edges.
std::vector<double> QuartileEdges(const std::vector<double>& ascending) {
  std::vector<double> edges;
  for (const double quartile : Quartiles(ascending)) {
    const double edge = *std::lower_bound(ascending.begin(), ascending.end(), quartile);
    if (edge > ascending.front() && (edges.empty() || edge > edges.back())) edges.push_back(edge);
  }
  return edges;
}

}  // namespace

SampleColumn CutNumbers(std::string name, const std::vector<double>& numbers,
                        const std::vector<double>& edges) {
  SampleColumn column;
  column.name = std::move(name);
  std::vector<double> ascending;
  for (const double number : numbers) {
    if (!std::isnan(number)) ascending.push_back(number);
  }
  std::sort(ascending.begin(), ascending.end());
  std::vector<double> starts;  // of all ranges but the first
  if (!edges.empty()) {
    starts = edges;
    column.slices = OpenRanges(edges);
  } else if (!ascending.empty()) {
    std::vector<double> distinct = ascending;
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    if (distinct.size() <= kMostSingleNumbers) {
      const std::vector<std::string> texts = Printed(distinct);
      for (size_t i = 0; i < distinct.size(); ++i) {
        column.slices.push_back({texts[i], distinct[i], distinct[i]});
      }
      starts.assign(distinct.begin() + 1, distinct.end());
    } else {
      starts = QuartileEdges(ascending);
      column.slices = ClosedRanges(ascending.front(), starts, ascending.back());
    }
  }
  column.slice_of.reserve(numbers.size());
  for (const double number : numbers) {
    if (std::isnan(number)) {
      column.slice_of.push_back(Missing(&column));
      continue;
    }
    const auto behind = std::upper_bound(starts.begin(), starts.end(), number);
    column.slice_of.push_back(static_cast<int32_t>(behind - starts.begin()));
  }
  return column;
}

SampleColumn GroupTexts(std::string name, const std::vector<std::string>& values,
                        const std::vector<int32_t>& value_of) {
  SampleColumn column;
  column.name = std::move(name);
  // Of those that some sample has: by their bytes.
  std::map<std::string, int32_t> slice_of;
  for (const int32_t value : value_of) {
    if (value >= 0) slice_of.emplace(values[static_cast<size_t>(value)], 0);
  }
  for (auto& [text, slice] : slice_of) {
    slice = static_cast<int32_t>(column.slices.size());
    column.slices.push_back({text, std::nullopt, std::nullopt});
  }
  column.slice_of.reserve(value_of.size());
  for (const int32_t value : value_of) {
    column.slice_of.push_back(value < 0 ? Missing(&column)
                                        : slice_of[values[static_cast<size_t>(value)]]);
  }
  return column;
}

std::vector<SampleColumn> ColumnsOf(const MetadataTable& table) {
  std::vector<SampleColumn> columns;
  for (const MetadataColumn& column : table.columns) {
    columns.push_back(column.numeric ? CutNumbers(column.name, column.numbers, column.edges)
                                     : GroupTexts(column.name, column.values, column.value_of));
  }
  return columns;
}

SampleColumn ConfidenceColumn(const std::vector<v1::Outcome>& clean) {
  std::vector<double> confidences;
  int64_t samples = 0;
  for (const v1::Outcome& outcome : clean) {
    confidences.push_back(outcome.undecided() ? std::numeric_limits<double>::quiet_NaN()
                                              : outcome.confidence());
    samples = std::max(samples, outcome.sample() + 1);
  }
  SampleColumn column = CutNumbers(kConfidence, confidences, {});
  const std::vector<int32_t> by_outcome = std::move(column.slice_of);
  column.slice_of.assign(static_cast<size_t>(samples), SampleColumn::kNone);
  for (size_t i = 0; i < by_outcome.size(); ++i) {
    const int64_t sample = clean[i].sample();
    if (sample >= 0) column.slice_of[static_cast<size_t>(sample)] = by_outcome[i];
  }
  column.built_in = true;
  return column;
}

}  // namespace assay::report
