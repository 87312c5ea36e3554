#include "client/render/render.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/render/csv.h"
#include "client/render/html_document.h"
#include "client/render/page/html_page.h"
#include "client/render/report_document.h"
#include "client/render/report_page.h"
#include "core/base/json.h"

namespace assay::render {
namespace {

void AddRate(const v1::Rate& rate, CsvRow& row) {
  rate.has_value() ? row.Add(rate.value()) : row.AddEmpty();
  rate.has_lower() ? row.Add(rate.lower()) : row.AddEmpty();
  rate.has_upper() ? row.Add(rate.upper()) : row.AddEmpty();
}

constexpr char kReportHeader[] =
    "condition,class_index,class,samples,correct,undecided,"
    "accuracy,accuracy_lower,accuracy_upper,cfps,cfps_lower,cfps_upper,false_positives,"
    "precision,precision_lower,precision_upper,"
    "strongest_confusion,strongest_confusion_count,roles,"
    "attacked,successes,success_rate,success_rate_lower,success_rate_upper,"
    "adversarial_false_positives,average_certified_radius,median_radius,abstentions\n";

std::string ReportCsv(const v1::Report& report) {
  std::string out = kReportHeader;
  for (const auto& condition : report.conditions()) {
    for (const auto& own : condition.classes()) {
      CsvRow row;
      row.Add(condition.id()).Add(own.index()).Add(own.name()).Add(own.samples());
      row.Add(own.correct()).Add(own.undecided());
      AddRate(own.accuracy(), row);
      AddRate(own.cfps(), row);
      row.Add(own.false_positives());
      AddRate(own.precision(), row);
      if (own.has_strongest_confusion() && own.strongest_confusion().count() > 0) {
        row.Add(own.strongest_confusion().name()).Add(own.strongest_confusion().count());
      } else {
        row.AddEmpty(2);
      }
      row.Add(absl::StrJoin(own.roles(), " "));
      if (own.has_attack()) {
        row.Add(own.attack().attacked()).Add(own.attack().successes());
        AddRate(own.attack().success_rate(), row);
        row.Add(own.attack().adversarial_false_positives());
      } else {
        row.AddEmpty(6);
      }
      if (own.has_certification()) {
        row.Add(own.certification().average_certified_radius());
        row.Add(own.certification().median_radius()).Add(own.certification().abstentions());
      } else {
        row.AddEmpty(3);
      }
      absl::StrAppend(&out, row.Line());
    }
  }
  return out;
}

std::string JsonText(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string TablePage(const Table& table) {
  HtmlPage page({"Assay", {}, "", ""});
  HtmlTableOptions options;
  options.sortable = true;
  HtmlPrinter(page.body()).Print(table, options);
  return std::move(page).Print();
}

// Only the form that is asked for is made.
std::string Render(Format format, bool colour, const std::function<Document()>& document,
                   const std::function<std::string()>& csv,
                   const std::function<std::string()>& html,
                   const std::function<nlohmann::ordered_json()>& json) {
  switch (format) {
    case Format::kJson:
      return JsonText(json());
    case Format::kCsv:
      return csv();
    case Format::kMarkdown:
      return PrintMarkdown(document());
    case Format::kHtml:
      return html();
    case Format::kTable:
      break;
  }
  return PrintText(document(), colour);
}

}  // namespace

const std::vector<std::string>& FormatNames() {
  static const auto* const names =
      new std::vector<std::string>{"table", "json", "csv", "markdown", "html"};
  return *names;
}

std::optional<Format> FormatNamed(absl::string_view name) {
  const auto& names = FormatNames();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Format>(found - names.begin());
}

std::string RenderReport(const v1::Report& report, Format format, bool colour) {
  return Render(
      format, colour, [&] { return ReportDocument(report); }, [&] { return ReportCsv(report); },
      [&] { return ReportPage(report); }, [&] { return ToJson(report); });
}

std::string RenderTable(const Table& table, const nlohmann::ordered_json& json, Format format,
                        bool colour) {
  return Render(
      format, colour, [&] { return Document{table}; }, [&] { return PrintCsv(table); },
      [&] { return TablePage(table); }, [&] { return json; });
}

std::string RenderJson(const google::protobuf::Message& message) {
  return JsonText(ToJson(message));
}

}  // namespace assay::render
