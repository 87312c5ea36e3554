// Prints documents as HTML, beside text and Markdown (document.h). Cells with a shade become a heat
// map. Tables of classes that are too long to be read show the worst and the best of them, and a
// field that searches all.
#ifndef ASSAY_CLIENT_RENDER_HTML_DOCUMENT_H_
#define ASSAY_CLIENT_RENDER_HTML_DOCUMENT_H_

#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/render/document.h"
#include "client/render/plot/markup.h"

namespace assay::render {

// Which classes come first where there are too many.
struct ClassOrder {
  // All of them, by index, from the worst to the best.
  std::vector<int> worst_first;
  std::set<int> shown;
  // The others are not even there to be searched.
  bool leaves_out_others = false;
  // What orders them.
  std::string by = "accuracy";
};

struct HtmlTableOptions {
  std::string caption;
  // By the heads of the columns.
  bool sortable = false;
  // A square of classes: heads stand upright.
  bool matrix = false;
  // Columns of sentences, which may break.
  std::set<size_t> wide;
  // Columns of what is typed.
  std::set<size_t> code;
  // Where the first cell of each row leads, for example "#c0"; empty: nowhere.
  std::vector<std::string> links;
  // Null: every row is shown.
  const ClassOrder* order = nullptr;
};

// Prints to `out`, which must outlive it; one a page, since it counts tables.
class HtmlPrinter {
 public:
  explicit HtmlPrinter(plot::Markup& out) : out_(out) {}

  // Headings become elements `heading`. Tables of classes can be sorted.
  void Print(const Document& document, const std::string& heading = "h4",
             const ClassOrder* order = nullptr);
  void Print(const Table& table, const HtmlTableOptions& options = {});

 private:
  void PrintLines(const Lines& block);
  void PrintShown(size_t shown, size_t all, const ClassOrder& order);
  void PrintTools(const std::string& table_id);
  void PrintHead(const Table& table, const HtmlTableOptions& options);
  void PrintBreakable(absl::string_view text);
  void PrintRow(const Table& table, size_t row, const HtmlTableOptions& options, bool hidden);

  plot::Markup& out_;
  int tables_ = 0;
};

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_HTML_DOCUMENT_H_
