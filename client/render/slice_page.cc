#include "client/render/slice_page.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/render/class_labels.h"
#include "client/render/numbers.h"
#include "client/render/plot_points.h"
#include "client/render/slice_document.h"
#include "client/render/text.h"

namespace assay::render {
namespace {

constexpr size_t kMostPlotted = 20;
constexpr size_t kMostRows = 60;

bool HasSlices(const v1::Report& report) {
  return std::any_of(
      report.conditions().begin(), report.conditions().end(),
      [](const v1::ConditionReport& condition) { return !RankedSlices(condition).empty(); });
}

void PrintCondition(const v1::ConditionReport& condition, const ReportStyle& style, HtmlPage& page,
                    HtmlPrinter& printer) {
  std::vector<NamedSlice> slices = RankedSlices(condition);
  if (slices.empty()) return;
  if (const plot::IntervalPlot plot = SlicePlot(condition); !plot.rows.empty()) {
    page.AddFigure(plot::Draw(plot),
                   absl::StrCat("Accuracy of the ",
                                plot.rows.size() < slices.size() ? "worst slices" : "slices",
                                " with exact intervals, columns together. The dashed line is the "
                                "accuracy of the condition."));
  }
  HtmlTableOptions options;
  options.sortable = true;
  if (slices.size() > kMostRows) {
    options.caption = absl::StrCat("The worst ", kMostRows, " of ",
                                   Counted(static_cast<int64_t>(slices.size()), "slice"),
                                   "; all of them are in the JSON and the CSV of the report.");
    slices.resize(kMostRows);
  }
  printer.Print(SlicesTable(condition, slices, style), options);
  for (const v1::SliceColumn& column : condition.slices()) {
    if (column.undefined_reason().empty()) continue;
    page.body()
        .Element("p", {},
                 absl::StrCat("No slices by ", Printable(column.name()), ": ",
                              Printable(column.undefined_reason()), "."))
        .Break();
  }
}

}  // namespace

plot::IntervalPlot SlicePlot(const v1::ConditionReport& condition) {
  plot::IntervalPlot plot;
  plot.title = absl::StrCat("Slices under ", Printable(condition.id()));
  plot.x_title = "accuracy %";
  plot.x = kPercents;
  if (condition.accuracy().has_value()) plot.reference = condition.accuracy().value() * 100;
  // Columns in the order of their worst slices.
  std::map<size_t, size_t> group_of;
  for (const NamedSlice& named : RankedSlices(condition)) {
    if (named.slice->few() || plot.rows.size() == kMostPlotted) break;
    const size_t group = group_of.emplace(named.column, group_of.size()).first->second;
    const plot::Point point = RatePoint(0, named.slice->accuracy(), named.name);
    plot.rows.push_back({named.name, point.y, point.low, point.high, group, point.tip});
  }
  std::stable_sort(plot.rows.begin(), plot.rows.end(),
                   [](const auto& a, const auto& b) { return a.group < b.group; });
  plot.description = absl::StrCat("Dots with exact intervals for ", plot.rows.size(),
                                  " slices; the numbers are in the table that follows.");
  return plot;
}

void PrintSlices(const v1::Report& report, const ReportStyle& style, HtmlPage& page,
                 HtmlPrinter& printer) {
  if (!HasSlices(report)) return;
  ReportStyle own_style = style;
  own_style.significance = 1 - report.confidence_level();
  page.BeginSection("slices", "Slices");
  page.body()
      .Element("p", {},
               "The samples with one value, or in one range, of a column: what the dataset says of "
               "them, the brightness and the contrast of the image, and the confidence of the "
               "clean prediction. A range holds its lower end and not its upper one, but for the "
               "last. Worst first. p: Fisher's exact test of the accuracy of the slice against "
               "that of all other samples, after Holm's correction over the slices of the "
               "condition; few: fewer than 10 samples, which are not tested.")
      .Break();
  for (int i = 0; i < report.conditions_size(); ++i) {
    const v1::ConditionReport& condition = report.conditions(i);
    if (RankedSlices(condition).empty()) continue;
    page.BeginPart(absl::StrCat("slices-", i + 1), Printable(condition.id()), "");
    PrintCondition(condition, own_style, page, printer);
  }
}

}  // namespace assay::render
