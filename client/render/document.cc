#include "client/render/document.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/render/csv.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace assay::render {
namespace {

// Sentences are broken here. Tables are as wide as they must be.
constexpr size_t kTextWidth = 100;

std::string Coloured(const std::string& text, const char* sequence, bool colour) {
  return colour && *sequence != '\0' ? absl::StrCat("\x1b[", sequence, "m", text, "\x1b[0m") : text;
}

const char* Sequence(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      break;
    case Tone::kGood:
      return "32";
    case Tone::kBad:
      return "31";
    case Tone::kNotice:
      return "33";
  }
  return "";
}

class TextPrinter {
 public:
  explicit TextPrinter(bool colour) : colour_(colour) {}

  void operator()(const Heading& heading) {
    absl::StrAppend(&out_, Coloured(Printable(heading.text), "1", colour_),
                    heading.aside.empty() ? "" : "  ", Printable(heading.aside), "\n");
  }

  void operator()(const Lines& block) {
    for (const std::string& line : block.lines) {
      absl::StrAppend(&out_,
                      Coloured(Wrapped(Printable(line), kTextWidth), Sequence(block.tone), colour_),
                      "\n");
    }
  }

  void operator()(const Table& table) {
    const size_t count = table.columns.size();
    std::vector<std::vector<std::string>> texts;
    std::vector<size_t> widths;
    for (const Column& column : table.columns) widths.push_back(DisplayWidth(column.title));
    for (const auto& row : table.rows) {
      texts.emplace_back();
      for (size_t i = 0; i < count; ++i) {
        texts.back().push_back(Printable(row[i].text));
        widths[i] = std::max(widths[i], DisplayWidth(texts.back()[i]));
      }
    }
    std::string line;
    for (size_t i = 0; i < count; ++i) {
      const Column& column = table.columns[i];
      const std::string padded = Padded(column.title, widths[i], column.right);
      absl::StrAppend(&line, i == 0 ? "" : "  ", Coloured(padded, "2", colour_));
    }
    AppendLine(line);
    for (size_t r = 0; r < texts.size(); ++r) {
      line.clear();
      for (size_t i = 0; i < count; ++i) {
        const std::string padded = Padded(texts[r][i], widths[i], table.columns[i].right);
        absl::StrAppend(&line, i == 0 ? "" : "  ",
                        Coloured(padded, Sequence(table.rows[r][i].tone), colour_));
      }
      AppendLine(line);
    }
  }

  std::string Take() { return std::move(out_); }
  void Gap() {
    if (!out_.empty()) out_.push_back('\n');
  }

 private:
  void AppendLine(std::string line) {
    absl::StripTrailingAsciiWhitespace(&line);
    absl::StrAppend(&out_, line, "\n");
  }

  const bool colour_;
  std::string out_;
};

// Class names must not become markup.
std::string Escaped(const std::string& text) {
  std::string result;
  for (const char c : Printable(text)) {
    if (absl::string_view("\\`*_{}<>|#").find(c) != absl::string_view::npos) result.push_back('\\');
    result.push_back(c);
  }
  return result;
}

class MarkdownPrinter {
 public:
  void operator()(const Heading& heading) {
    absl::StrAppend(&out_, "## ", Escaped(heading.text), "\n");
    if (!heading.aside.empty()) absl::StrAppend(&out_, "\n", Escaped(heading.aside), "\n");
  }

  void operator()(const Lines& block) {
    for (const std::string& line : block.lines) absl::StrAppend(&out_, "- ", Escaped(line), "\n");
  }

  void operator()(const Table& table) {
    absl::StrAppend(&out_, "|");
    for (const Column& column : table.columns) {
      absl::StrAppend(&out_, " ", Escaped(column.title), " |");
    }
    absl::StrAppend(&out_, "\n|");
    for (const Column& column : table.columns) {
      absl::StrAppend(&out_, column.right ? " ---: |" : " --- |");
    }
    absl::StrAppend(&out_, "\n");
    for (const auto& row : table.rows) {
      absl::StrAppend(&out_, "|");
      for (const Cell& cell : row) absl::StrAppend(&out_, " ", Escaped(cell.text), " |");
      absl::StrAppend(&out_, "\n");
    }
  }

  std::string Take() { return std::move(out_); }
  void Gap() {
    if (!out_.empty()) out_.push_back('\n');
  }

 private:
  std::string out_;
};

template <typename Printer>
std::string Print(const Document& document, Printer printer) {
  for (const Block& block : document) {
    printer.Gap();
    std::visit(printer, block);
  }
  return printer.Take();
}

}  // namespace

Cell ShadedPercent(double share) { return {Percent(share), Tone::kPlain, share}; }

std::string PrintText(const Document& document, bool colour) {
  return Print(document, TextPrinter(colour));
}

std::string PrintMarkdown(const Document& document) { return Print(document, MarkdownPrinter()); }

std::string PrintCsv(const Table& table) {
  std::string out;
  CsvRow titles;
  for (const Column& column : table.columns) titles.Add(column.title);
  absl::StrAppend(&out, titles.Line());
  for (const auto& row : table.rows) {
    CsvRow line;
    for (const Cell& cell : row) line.Add(cell.text);
    absl::StrAppend(&out, line.Line());
  }
  return out;
}

}  // namespace assay::render
