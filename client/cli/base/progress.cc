#include "client/cli/base/progress.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace assay::cli {
namespace {

constexpr int64_t kRedrawMicros = 100'000;
constexpr int64_t kLineMicros = 5'000'000;
constexpr int kBarWidth = 20;
// Rates from less than this are noise.
constexpr double kMinSeconds = 0.5;
// And so are remaining times from less than this: conditions differ in what a pass costs, so a
// tenth of a per cent done tells little about the rest.
constexpr double kMinSecondsForRest = 3;
constexpr double kMinShareForRest = 0.01;

std::string Bar(double fraction) {
  const int full = static_cast<int>(std::floor(fraction * kBarWidth));
  std::string bar;
  for (int i = 0; i < kBarWidth; ++i) bar += i < full ? "█" : "░";
  return bar;
}

}  // namespace

Progress::Progress(const Terminal& terminal, bool quiet, const Clock& clock, std::ostream& out)
    : terminal_(terminal), quiet_(quiet), clock_(clock), out_(out) {
  Begin();
}

Progress::~Progress() { Clear(); }

void Progress::Begin() {
  begin_micros_ = drawn_micros_ = clock_.NowMicros();
  measuring_ = false;
}

std::string Progress::Line(const ProgressPoint& point, double seconds) const {
  const double fraction = std::clamp(point.fraction, 0.0, 1.0);
  std::string line = terminal_.redraw ? absl::StrCat(Bar(fraction), " ",
                                                     absl::StrFormat("%3.0f %%", fraction * 100))
                                      : absl::StrFormat("%.0f %%", fraction * 100);
  if (!point.label.empty()) absl::StrAppend(&line, "  ", render::Printable(point.label));
  if (!point.amount.empty()) absl::StrAppend(&line, "  ", point.amount);
  if (seconds >= kMinSeconds) {
    const double rate = (point.done - first_done_) / seconds;
    if (rate > 0 && point.rate_unit.empty()) {
      absl::StrAppend(&line, "  ", render::Bytes(static_cast<int64_t>(rate)), "/s");
    } else if (rate > 0) {
      absl::StrAppend(&line, "  ", render::Significant(rate, 3), " ", point.rate_unit);
    }
    const double gained = fraction - first_fraction_;
    if (seconds >= kMinSecondsForRest && gained >= kMinShareForRest && fraction < 1) {
      absl::StrAppend(&line, "  ", render::Duration((1 - fraction) / gained * seconds), " left");
    }
  }
  return terminal_.redraw ? render::Shortened(line, terminal_.width - 1) : line;
}

void Progress::Update(const ProgressPoint& point) {
  if (quiet_) return;
  const int64_t now = clock_.NowMicros();
  // Until something has been done, what passes is waiting, loading and the first step, which say
  // nothing of the rest; and what is lost (a task that begins again) has to be done again.
  if (!measuring_ || first_fraction_ <= 0 || point.fraction < first_fraction_) {
    measuring_ = true;
    begin_micros_ = now;
    first_fraction_ = point.fraction;
    first_done_ = point.done;
  }
  if (now - drawn_micros_ < (terminal_.redraw ? kRedrawMicros : kLineMicros)) return;
  drawn_micros_ = now;
  const std::string line = Line(point, static_cast<double>(now - begin_micros_) * 1e-6);
  if (terminal_.redraw) {
    out_ << "\r\x1b[K" << line << std::flush;
    bar_shown_ = true;
  } else {
    out_ << line << std::endl;
  }
}

void Progress::Note(const std::string& line) {
  if (quiet_) return;
  Clear();
  out_ << line << std::endl;
}

void Progress::Clear() {
  if (bar_shown_) out_ << "\r\x1b[K" << std::flush;
  bar_shown_ = false;
}

}  // namespace assay::cli
