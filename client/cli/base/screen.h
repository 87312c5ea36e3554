// A whole terminal to draw on, by ANSI sequences: an alternate screen without a cursor, and keys as
// they are pressed. What was there before comes back however the program ends, SIGKILL apart.
#ifndef ASSAY_CLIENT_CLI_BASE_SCREEN_H_
#define ASSAY_CLIENT_CLI_BASE_SCREEN_H_

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace assay::cli {

struct ScreenSize {
  size_t width = 80;
  size_t height = 24;
  bool operator==(const ScreenSize& other) const {
    return width == other.width && height == other.height;
  }
};

// One at a time.
class Screen {
 public:
  // Whether stdout is a terminal that can be drawn on.
  static bool Available();

  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  ScreenSize size() const;
  // Lines as they are, which may have colours; false when the terminal is gone.
  bool Draw(const std::vector<std::string>& lines);
  // The next key; '\0' when none came in time, or there is no keyboard.
  char Key(std::chrono::milliseconds wait);

 private:
  bool keyboard_ = false;
};

// Gives back the terminal of a Screen that its owner will not destroy any more. To be called before
// a process is ended on the spot; does nothing without a Screen. Async-signal-safe.
void RestoreTerminal();

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_SCREEN_H_
