#include "client/render/slice_document.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/render/class_labels.h"
#include "client/render/numbers.h"
#include "client/render/text.h"
#include "core/report/slice_order.h"

namespace assay::render {
namespace {

// What a name may have of columns for the name of a class: it is two of those.
constexpr size_t kNamesInName = 2;
constexpr int kDigitsOfP = 2;

// A slice that differs from the rest by more than chance is marked by how.
Tone ToneOf(const v1::Slice& slice, const v1::ConditionReport& condition, double alpha) {
  if (!slice.has_adjusted_p_value() || slice.adjusted_p_value() > alpha) return Tone::kPlain;
  return slice.accuracy().value() < condition.accuracy().value() ? Tone::kBad : Tone::kGood;
}

}  // namespace

std::vector<NamedSlice> RankedSlices(const v1::ConditionReport& condition) {
  std::vector<NamedSlice> slices;
  for (int i = 0; i < condition.slices_size(); ++i) {
    const v1::SliceColumn& column = condition.slices(i);
    for (const v1::Slice& slice : column.slices()) {
      if (slice.samples() == 0) continue;
      slices.push_back({static_cast<size_t>(i),
                        Printable(absl::StrCat(column.name(), "=", slice.value())), &slice});
    }
  }
  std::stable_sort(slices.begin(), slices.end(), [](const NamedSlice& a, const NamedSlice& b) {
    return report::SliceBefore(*a.slice, *b.slice);
  });
  return slices;
}

Table SlicesTable(const v1::ConditionReport& condition, const std::vector<NamedSlice>& slices,
                  const ReportStyle& style) {
  const bool attack = condition.has_attack(), smoothing = condition.has_certification();
  Table table;
  table.columns = {{"slice", false}, {"n"}, {"accuracy %"}};
  if (attack) table.columns.insert(table.columns.end(), {{"clean %"}, {"success %"}});
  if (smoothing) table.columns.push_back({"abstained %"});
  if (condition.has_bounds()) table.columns.push_back({"proven %"});
  table.columns.push_back({"p (Holm)"});
  for (const NamedSlice& named : slices) {
    const v1::Slice& slice = *named.slice;
    const Tone tone = ToneOf(slice, condition, style.significance);
    std::vector<Cell> row = {{Shortened(named.name, kNamesInName * style.class_width), tone},
                             Count(slice.samples()),
                             {PercentWithInterval(slice.accuracy()), tone}};
    if (attack) {
      row.push_back(Percent(slice.clean_accuracy()));
      row.push_back(Percent(slice.success_rate()));
    }
    if (smoothing) row.push_back(Percent(slice.abstention_rate()));
    if (condition.has_bounds()) {
      row.push_back(slice.certified_accuracy().empty()
                        ? kUndefined
                        : PercentWithInterval(slice.certified_accuracy(0).accuracy()));
    }
    row.push_back(slice.few()                    ? "few"
                  : slice.has_adjusted_p_value() ? Significant(slice.adjusted_p_value(), kDigitsOfP)
                                                 : kUndefined);
    table.rows.push_back(std::move(row));
  }
  return table;
}

void AddSlices(const v1::ConditionReport& condition, const ReportStyle& style, Document& document) {
  std::vector<NamedSlice> slices = RankedSlices(condition);
  if (slices.empty()) return;
  const auto ranked = static_cast<size_t>(std::count_if(
      slices.begin(), slices.end(), [](const NamedSlice& named) { return !named.slice->few(); }));
  const size_t all = slices.size();
  if (!style.all_slices) slices.resize(std::min(ranked, style.worst_slices));
  if (!slices.empty()) document.push_back(SlicesTable(condition, slices, style));
  Lines lines;
  if (slices.size() < all) {
    const std::string few = all > ranked
                                ? absl::StrCat(", ", Count(static_cast<int64_t>(all - ranked)),
                                               " of them of fewer than 10 samples")
                                : "";
    const std::string counted = Counted(static_cast<int64_t>(all), "slice");
    lines.lines.push_back(absl::StrCat(
        slices.empty() ? counted
                       : absl::StrCat("the worst ", Count(static_cast<int64_t>(slices.size())),
                                      " of ", counted),
        few, "; --all-slices shows all"));
  }
  if (style.all_slices) {
    for (const v1::SliceColumn& column : condition.slices()) {
      if (column.undefined_reason().empty()) continue;
      lines.lines.push_back(absl::StrCat("no slices by ", Printable(column.name()), ": ",
                                         Printable(column.undefined_reason())));
    }
  }
  if (!lines.lines.empty()) document.emplace_back(std::move(lines));
}

}  // namespace assay::render
