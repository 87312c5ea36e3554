// Progress on stderr: a bar that is drawn over on a terminal, a line every few seconds elsewhere.
#ifndef ASSAY_CLIENT_CLI_BASE_PROGRESS_H_
#define ASSAY_CLIENT_CLI_BASE_PROGRESS_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "client/cli/base/terminal.h"
#include "core/base/clock.h"

namespace assay::cli {

// How far something is.
struct ProgressPoint {
  // What is being done: "uploading", or the id of a condition.
  std::string label;
  // 0 to 1.
  double fraction = 0;
  // What the rate counts, and how much of it is done: 1234 "samples", or bytes.
  double done = 0;
  std::string amount;  // as text: "1,234 of 5,000 samples"
  // "samples/s"; empty: `done` counts bytes.
  std::string rate_unit;
};

// Not thread-safe.
class Progress {
 public:
  // Silent when `quiet`. `clock` and `out` must outlive it.
  Progress(const Terminal& terminal, bool quiet, const Clock& clock, std::ostream& out);
  // Leaves the terminal clean.
  ~Progress();

  // Begins to measure: rates and remaining times count from the first point after this at which
  // something is done. Remaining times are told once enough has been done to tell them by.
  void Begin();
  // Draws if the last time is long enough ago.
  void Update(const ProgressPoint& point);
  // A line of its own, between the drawings.
  void Note(const std::string& line);
  // Takes the bar away.
  void Clear();

 private:
  std::string Line(const ProgressPoint& point, double seconds) const;

  const Terminal terminal_;
  const bool quiet_;
  const Clock& clock_;
  std::ostream& out_;
  int64_t begin_micros_ = 0;
  int64_t drawn_micros_ = 0;
  // Where the measurement began; unset before the first point.
  bool measuring_ = false;
  double first_fraction_ = 0;
  double first_done_ = 0;
  bool bar_shown_ = false;
};

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_PROGRESS_H_
