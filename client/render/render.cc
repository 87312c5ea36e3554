#include "client/render/render.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/render/comparison_csv.h"
#include "client/render/comparison_document.h"
#include "client/render/comparison_page.h"
#include "client/render/gate_document.h"
#include "client/render/html_document.h"
#include "client/render/page/html_page.h"
#include "client/render/repeat_command.h"
#include "client/render/report_csv.h"
#include "client/render/report_document.h"
#include "client/render/report_page.h"
#include "core/base/json.h"

namespace assay::render {
namespace {

std::string JsonText(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// What has no page of its own.
std::string DocumentPage(const Document& document) {
  HtmlPage page({"Assay", {}, "", ""});
  HtmlPrinter(page.body()).Print(document, "h2");
  return std::move(page).Print();
}

// A block of code in Markdown; empty where no command gives the report.
std::string RepeatBlock(const v1::Report& report) {
  const std::string command = RepeatCommand(report);
  if (command.empty() || absl::StrContains(command, "```")) return "";
  return absl::StrCat("\nTo repeat it:\n\n```sh\n", command, "\n```\n");
}

// Only the form that is asked for is made.
std::string Render(Format format, bool colour, const std::function<Document()>& document,
                   const std::function<std::string()>& csv,
                   const std::function<nlohmann::ordered_json()>& json) {
  switch (format) {
    case Format::kJson:
      return JsonText(json());
    case Format::kCsv:
      return csv();
    case Format::kMarkdown:
      return PrintMarkdown(document());
    case Format::kHtml:
      return DocumentPage(document());
    case Format::kTable:
    case Format::kJunit:
      break;
  }
  return PrintText(document(), colour);
}

}  // namespace

const std::vector<std::string>& FormatNames() {
  static const auto* const names =
      new std::vector<std::string>{"table", "json", "csv", "markdown", "html", "junit"};
  return *names;
}

std::optional<Format> FormatNamed(absl::string_view name) {
  const auto& names = FormatNames();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Format>(found - names.begin());
}

std::string RenderReport(const v1::Report& report, Format format,
                         const std::vector<report::GateResult>& gates, const ReportExtras& extras) {
  if (format == Format::kJunit) return GatesJunit(report, gates);
  if (format == Format::kHtml) return ReportPage(report, gates, extras.examples);
  std::string text = Render(
      format, extras.colour,
      [&] {
        Document document = ReportDocument(report, extras.all_slices);
        AddGates(gates, document);
        return document;
      },
      [&] { return ReportCsv(report); },
      [&] {
        nlohmann::ordered_json json = ToJson(report);
        if (const std::string command = RepeatCommand(report); !command.empty()) {
          json["repeat_command"] = command;
        }
        if (!gates.empty()) json["gates"] = GatesJson(gates);
        return json;
      });
  if (format == Format::kMarkdown) absl::StrAppend(&text, RepeatBlock(report));
  return text;
}

std::string RenderComparison(const v1::Comparison& comparison, Format format, bool colour) {
  if (format == Format::kHtml) return ComparisonPage(comparison);
  return Render(
      format, colour, [&] { return ComparisonDocument(comparison); },
      [&] { return ComparisonCsv(comparison); }, [&] { return ToJson(comparison); });
}

std::string RenderTable(const Table& table, const nlohmann::ordered_json& json, Format format,
                        bool colour) {
  return Render(
      format, colour, [&] { return Document{table}; }, [&] { return PrintCsv(table); },
      [&] { return json; });
}

}  // namespace assay::render
