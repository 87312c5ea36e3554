// How much of a report fits where it is shown.
#ifndef ASSAY_CLIENT_RENDER_REPORT_STYLE_H_
#define ASSAY_CLIENT_RENDER_REPORT_STYLE_H_

#include <cstddef>

namespace assay::render {

// The default is a terminal of a hundred columns, and what is pasted from it.
struct ReportStyle {
  // Columns of a class name; longer ones end in an ellipsis.
  size_t class_width = 16;
  // Columns of a class name at the head of a column.
  size_t head_width = 5;
  // Classes of the largest matrix that is shown whole.
  int matrix_classes = 11;
  // Slices of a condition, the worst of those that have enough samples, or all there are.
  size_t worst_slices = 3;
  bool all_slices = false;
  // Slices whose p-value is at most this are marked.
  double significance = 0.05;
};

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_REPORT_STYLE_H_
