#include "client/render/html_document.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/render/class_labels.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace assay::render {
namespace {

using plot::Markup;

// Of a style sheet.
const char* ClassOf(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      break;
    case Tone::kGood:
      return "good";
    case Tone::kBad:
      return "bad";
    case Tone::kNotice:
      return "notice";
  }
  return "";
}

Markup::Attributes WithClass(const std::vector<std::string>& names, Markup::Attributes others) {
  std::vector<std::string> given;
  for (const std::string& name : names) {
    if (!name.empty()) given.push_back(name);
  }
  if (!given.empty()) others.emplace_back("class", absl::StrJoin(given, " "));
  return others;
}

// "h0" ... "h10".
std::string ShadeClass(double shade) {
  return absl::StrCat("h", std::lround(std::clamp(shade, 0.0, 1.0) * 10));
}

bool HasShades(const Table& table) {
  for (const auto& row : table.rows) {
    for (const Cell& cell : row) {
      if (cell.shade.has_value()) return true;
    }
  }
  return false;
}

// The rows that are about one class each, in the order in which they are shown.
std::vector<size_t> ClassRows(const Table& table, const ClassOrder* order) {
  std::vector<size_t> rows;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    if (i >= table.classes.size() || table.classes[i] >= 0) rows.push_back(i);
  }
  if (order == nullptr || table.classes.empty()) return rows;
  std::map<int, size_t> ranks;
  for (const int index : order->worst_first) ranks.emplace(index, ranks.size());
  const auto rank = [&](size_t row) {
    const auto found = ranks.find(table.classes[row]);
    return found == ranks.end() ? ranks.size() : found->second;
  };
  std::stable_sort(rows.begin(), rows.end(), [&](size_t a, size_t b) { return rank(a) < rank(b); });
  return rows;
}

}  // namespace

void HtmlPrinter::Print(const Document& document, const std::string& heading,
                        const ClassOrder* order) {
  for (const Block& block : document) {
    if (const auto* title = std::get_if<Heading>(&block)) {
      out_.Element(heading, {}, Printable(title->text));
      if (!title->aside.empty()) {
        out_.Element("p", {{"class", "aside"}}, Printable(title->aside));
      }
      out_.Break();
    } else if (const auto* lines = std::get_if<Lines>(&block)) {
      PrintLines(*lines);
    } else {
      const auto& table = std::get<Table>(block);
      HtmlTableOptions options;
      options.sortable = !table.classes.empty();
      options.order = order;
      Print(table, options);
    }
  }
}

void HtmlPrinter::PrintLines(const Lines& block) {
  out_.Open("ul", WithClass({"lines", ClassOf(block.tone)}, {})).Break();
  for (const std::string& line : block.lines) out_.Element("li", {}, Printable(line)).Break();
  out_.Close().Break();
}

void HtmlPrinter::PrintShown(size_t shown, size_t all, const ClassOrder& order) {
  out_.Element(
      "p", {},
      absl::StrCat(
          "Shown are ", Count(static_cast<int64_t>(shown)), " of ",
          Counted(static_cast<int64_t>(all), "row"),
          ": the classes with the lowest and the highest ", order.by, ".",
          order.leaves_out_others
              ? " The others would make this page too large: they are in the report as CSV or JSON."
              : ""));
  if (order.leaves_out_others) out_.Break();
}

void HtmlPrinter::PrintTools(const std::string& table_id) {
  // The script shows them.
  out_.Open("div", {{"class", "tools"}, {"data-table", table_id}, {"hidden", ""}});
  out_.Open("label", {}).Text("Search classes ");
  out_.Empty("input", {{"type", "search"}, {"autocomplete", "off"}}).Close();
  out_.Element("button", {{"type", "button"}, {"aria-pressed", "false"}}, "All classes");
  out_.Element("output", {{"aria-live", "polite"}}, "").Close().Break();
}

void HtmlPrinter::PrintHead(const Table& table, const HtmlTableOptions& options) {
  out_.Open("thead").Open("tr");
  for (const Column& column : table.columns) {
    const bool right = column.right && !options.matrix;
    out_.Element("th", WithClass({right ? "n" : ""}, {{"scope", "col"}}), Printable(column.title));
  }
  out_.Close().Close().Break();
}

// Ids of conditions may break behind a slash.
void HtmlPrinter::PrintBreakable(absl::string_view text) {
  while (true) {
    const size_t slash = text.find('/');
    out_.Text(text.substr(0, slash == absl::string_view::npos ? slash : slash + 1));
    if (slash == absl::string_view::npos) return;
    text.remove_prefix(slash + 1);
    out_.Empty("wbr", {});
  }
}

void HtmlPrinter::PrintRow(const Table& table, size_t row, const HtmlTableOptions& options,
                           bool hidden) {
  out_.Open("tr", hidden ? Markup::Attributes{{"hidden", ""}} : Markup::Attributes{});
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const Cell& cell = table.rows[row][i];
    const std::string text = Printable(cell.text);
    if (i == 0) {
      out_.Open("th", WithClass({ClassOf(cell.tone)}, {{"scope", "row"}}));
      const bool leads = row < options.links.size() && !options.links[row].empty();
      if (leads) out_.Open("a", {{"href", options.links[row]}});
      PrintBreakable(text);
      if (leads) out_.Close();
      out_.Close();
      continue;
    }
    const std::string shade =
        cell.shade.has_value() ? absl::StrCat("cell ", ShadeClass(*cell.shade)) : "";
    const bool right = table.columns[i].right && !cell.shade.has_value();
    out_.Open("td", WithClass({right ? "n" : "", options.wide.count(i) > 0 ? "wide" : "", shade,
                               ClassOf(cell.tone)},
                              {}));
    options.code.count(i) > 0 ? out_.Element("code", {}, text) : out_.Text(text);
    out_.Close();
  }
  out_.Close().Break();
}

void HtmlPrinter::Print(const Table& table, const HtmlTableOptions& options) {
  const std::vector<size_t> unordered = ClassRows(table, nullptr);
  const auto is_shown = [&](size_t row) {
    return options.order == nullptr || table.classes.empty() ||
           options.order->shown.count(table.classes[row]) > 0;
  };
  const size_t shown =
      static_cast<size_t>(std::count_if(unordered.begin(), unordered.end(), is_shown));
  const bool long_table = shown < unordered.size();
  std::vector<size_t> rows = long_table ? ClassRows(table, options.order) : unordered;
  const bool leaves_out = long_table && options.order->leaves_out_others;
  if (leaves_out) {
    rows.erase(std::remove_if(rows.begin(), rows.end(), [&](size_t row) { return !is_shown(row); }),
               rows.end());
  }
  const std::string id = absl::StrCat("t", tables_++);
  if (long_table) PrintShown(shown, unordered.size(), *options.order);
  if (long_table && !leaves_out) PrintTools(id);
  out_.Open("div", {{"class", "scroll"}, {"tabindex", "0"}});
  out_.Open("table", WithClass({options.sortable && rows.size() > 1 ? "sortable" : "",
                                HasShades(table) ? "heat" : "", options.matrix ? "matrix" : ""},
                               {{"id", id}}));
  if (!options.caption.empty()) out_.Element("caption", {}, options.caption);
  PrintHead(table, options);
  // What is about all classes stays above those that are sorted.
  if (unordered.size() < table.rows.size()) {
    out_.Open("tbody").Break();
    for (size_t i = 0; i < table.rows.size(); ++i) {
      if (i < table.classes.size() && table.classes[i] < 0) PrintRow(table, i, options, false);
    }
    out_.Close();
  }
  out_.Open("tbody").Break();
  for (const size_t row : rows) PrintRow(table, row, options, !is_shown(row));
  out_.Close().Close().Close().Break();
}

}  // namespace assay::render
