// What is to be shown, before it is known how: headings, lines and tables. Text and Markdown are
// two printers of one document.
#ifndef ASSAY_CLIENT_RENDER_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_DOCUMENT_H_

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace assay::render {

enum class Tone { kPlain, kGood, kBad, kNotice };

struct Cell {
  Cell(std::string cell_text, Tone cell_tone = Tone::kPlain)  // NOLINT: a text is a cell
      : text(std::move(cell_text)), tone(cell_tone) {}
  Cell(const char* cell_text) : Cell(std::string(cell_text)) {}  // NOLINT: likewise
  std::string text;
  Tone tone;
};

struct Column {
  std::string title;
  bool right = true;
};

struct Table {
  std::vector<Column> columns;
  // As many cells as columns in each.
  std::vector<std::vector<Cell>> rows;
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
