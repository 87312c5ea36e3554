#include "client/cli/base/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace assay::cli {
namespace {

constexpr absl::string_view kBegin = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr absl::string_view kEnd = "\x1b[?25h\x1b[?1049l";

// There is one terminal, and whoever ends the process must be able to give it back.
std::atomic<bool> drawn_on{false};
std::atomic<bool> keys_changed{false};
termios keys_before;

bool Write(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

}  // namespace

void RestoreTerminal() {
  if (keys_changed.exchange(false)) tcsetattr(STDIN_FILENO, TCSAFLUSH, &keys_before);
  if (drawn_on.exchange(false)) Write(kEnd);
}

bool Screen::Available() {
  const char* const term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && term != nullptr && *term != '\0' &&
         std::strcmp(term, "dumb") != 0;
}

Screen::Screen() {
  if (isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &keys_before) == 0) {
    termios keys = keys_before;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    // A program that is stopped would leave the terminal as it is now.
    keys.c_cc[VSUSP] = _POSIX_VDISABLE;
    keys_changed = true;
    keyboard_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &keys) == 0;
  }
  drawn_on = true;
  Write(kBegin);
}

Screen::~Screen() { RestoreTerminal(); }

ScreenSize Screen::size() const {
  ScreenSize size;
  winsize found{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &found) == 0 && found.ws_col > 0 && found.ws_row > 0) {
    size = {found.ws_col, found.ws_row};
  }
  return size;
}

bool Screen::Draw(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  for (size_t i = 0; i < lines.size(); ++i) {
    // No line feed after the last line: on the last row it would scroll.
    absl::StrAppend(&text, lines[i], "\x1b[K", i + 1 < lines.size() ? "\r\n" : "");
  }
  absl::StrAppend(&text, "\x1b[J");
  return Write(text);
}

char Screen::Key(std::chrono::milliseconds wait) {
  if (!keyboard_) {
    std::this_thread::sleep_for(wait);
    return '\0';
  }
  pollfd keys{STDIN_FILENO, POLLIN, 0};
  if (poll(&keys, 1, static_cast<int>(wait.count())) <= 0) return '\0';
  char key = '\0';
  if (read(STDIN_FILENO, &key, 1) == 1) return key;
  // The terminal is gone: nothing will ever come.
  keyboard_ = false;
  return '\0';
}

}  // namespace assay::cli
