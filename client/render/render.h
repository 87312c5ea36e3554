// Reports and tables in the format that the user asked for.
#ifndef ASSAY_CLIENT_RENDER_RENDER_H_
#define ASSAY_CLIENT_RENDER_RENDER_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "assay/v1/comparison.pb.h"
#include "assay/v1/reports.pb.h"
#include "client/render/document.h"
#include "client/render/examples.h"
#include "core/report/gates.h"
#include "nlohmann/json.hpp"

namespace assay::render {

// kJunit is for the gates of a report, and for nothing else.
enum class Format { kTable, kJson, kCsv, kMarkdown, kHtml, kJunit };
// "table", "json", "csv", "markdown", "html", "junit".
const std::vector<std::string>& FormatNames();
std::optional<Format> FormatNamed(absl::string_view name);

// What a report is shown with, beside its numbers.
struct ReportExtras {
  // In kTable.
  bool colour = false;
  // In kTable and kMarkdown, which show the worst few otherwise.
  bool all_slices = false;
  // In kHtml; null: none.
  const Examples* examples = nullptr;
};

// Text that ends with a line feed. CSV has one row per condition, class or slice, and metric, and
// no gates.
std::string RenderReport(const v1::Report& report, Format format,
                         const std::vector<report::GateResult>& gates = {},
                         const ReportExtras& extras = {});

// CSV has one row per number.
std::string RenderComparison(const v1::Comparison& comparison, Format format, bool colour);

// A table likewise; `json` is what it says to programs.
std::string RenderTable(const Table& table, const nlohmann::ordered_json& json, Format format,
                        bool colour);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_RENDER_H_
