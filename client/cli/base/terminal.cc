#include "client/cli/base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace assay::cli {

Terminal DetectTerminal() {
  Terminal terminal;
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const term = std::getenv("TERM");
  const bool plain = no_colour != nullptr && *no_colour != '\0';
  const bool dumb = term == nullptr || std::strcmp(term, "dumb") == 0;
  terminal.colour = isatty(STDOUT_FILENO) == 1 && !plain && !dumb;
  terminal.redraw = isatty(STDERR_FILENO) == 1 && !plain && !dumb;
  winsize size{};
  if (terminal.redraw && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.width = size.ws_col;
  }
  return terminal;
}

}  // namespace assay::cli
