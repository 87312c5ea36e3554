// What is to be shown, before it is known how: headings, lines and tables. Text, Markdown and
// HTML (html_document.h) are printers of one document.
#ifndef ASSAY_CLIENT_RENDER_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_DOCUMENT_H_

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace assay::render {

enum class Tone { kPlain, kGood, kBad, kNotice };

struct Cell {
  Cell(std::string cell_text, Tone cell_tone = Tone::kPlain,  // NOLINT: a text is a cell
       std::optional<double> cell_shade = std::nullopt)
      : text(std::move(cell_text)), tone(cell_tone), shade(cell_shade) {}
  Cell(const char* cell_text) : Cell(std::string(cell_text)) {}  // NOLINT: likewise
  std::string text;
  Tone tone;
  // In a heat map: the share, from 0 to 1, that its colour shows where there are colours.
  std::optional<double> shade;
};

// "45.7" with the shade 0.4567.
Cell ShadedPercent(double share);

struct Column {
  std::string title;
  bool right = true;
};

struct Table {
  std::vector<Column> columns;
  // As many cells as columns in each.
  std::vector<std::vector<Cell>> rows;
  // Where rows are about classes: the index of each row's, -1 for a row about all of them.
  std::vector<int> classes = {};
};

struct Heading {
  std::string text;
  // Follows the heading on its line; may be empty.
  std::string aside;
};

struct Lines {
  std::vector<std::string> lines;
  Tone tone = Tone::kPlain;
};

using Block = std::variant<Heading, Lines, Table>;
using Document = std::vector<Block>;

// Columns padded with spaces, two between them. `colour` uses ANSI sequences. All text is made
// printable.
std::string PrintText(const Document& document, bool colour);
// GitHub's Markdown.
std::string PrintMarkdown(const Document& document);
// Only titles and texts, as CSV.
std::string PrintCsv(const Table& table);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_DOCUMENT_H_
