// What is at the other end of stdout and stderr.
#ifndef ASSAY_CLIENT_CLI_BASE_TERMINAL_H_
#define ASSAY_CLIENT_CLI_BASE_TERMINAL_H_

#include <cstddef>

namespace assay::cli {

struct Terminal {
  // Results may be coloured: stdout is a terminal that can, and NO_COLOR is not set.
  bool colour = false;
  // stderr is a terminal on which a line may be drawn over.
  bool redraw = false;
  // Columns of stderr.
  size_t width = 80;
};

Terminal DetectTerminal();

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_TERMINAL_H_
